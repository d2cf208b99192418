// The one include of an application: the facade, both backends, JSON, YAML, the environment.
#pragma once

#include "cascor/cache/cache_manager.hpp"
#include "cascor/cache/process_wide.hpp"
#include "cascor/config/cache_config.hpp"
#include "cascor/config/redis_url.hpp"
#include "cascor/core/clock.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/log.hpp"
#include "cascor/core/result.hpp"
#include "cascor/training/changes.hpp"
#include "cascor/training/history.hpp"
#include "cascor/training/pubsub.hpp"
#include "cascor/training/recorder.hpp"
#include "cascor/training/sessions.hpp"
#include "cascor/version.hpp"
