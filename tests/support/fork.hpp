// What tests that fork ask first.
#pragma once

// Defined where the tests run under ThreadSanitizer, which does not follow a process of several threads into a fork.
#if defined(__SANITIZE_THREAD__)
#define FORKS_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FORKS_UNDER_TSAN 1
#endif
#endif
