// The memory cache alone: standard library only, nothing to link but threads.
#pragma once

#include "cascor/memory/memory_cache.hpp"
