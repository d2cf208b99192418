// The one place a version is written, and what a translation unit was compiled with.
#pragma once

#define CASCOR_CACHE_VERSION_MAJOR 0
#define CASCOR_CACHE_VERSION_MINOR 1
#define CASCOR_CACHE_VERSION_PATCH 0
#define CASCOR_CACHE_VERSION_STRING "0.1.0"

// TLS is there where OpenSSL's headers are, unless the program says CASCOR_CACHE_NO_TLS. The choice is part of the
// inline namespace's name: two translation units that differ do not share inline functions, so they cannot link into
// one program that silently runs half of each.
#if !defined(CASCOR_CACHE_NO_TLS) && __has_include(<openssl/ssl.h>)
#define CASCOR_CACHE_TLS 1
#define CASCOR_CACHE_ABI v0_1_tls
#else
#define CASCOR_CACHE_TLS 0
#define CASCOR_CACHE_ABI v0_1_plain
#endif

// Header-only by default: what need not be a template for its own sake is defined in an .ipp file, which its .hpp
// includes. There it is a template all the same, with a parameter that nobody gives: a compiler instantiates a body
// when a program uses it and not when a program includes it, which more than halves the cost of including.
// CASCOR_CACHE_FN stands before the first declaration of such a function, CASCOR_CACHE_DEF before a definition
// elsewhere. With CASCOR_CACHE_COMPILED (the target cascor::cache_compiled sets it) they are plain functions, compiled
// once in the library.
#if defined(CASCOR_CACHE_COMPILED)
#define CASCOR_CACHE_FN
#define CASCOR_CACHE_DEF
#else
#define CASCOR_CACHE_FN template <class CascorWhenUsed = void>
#define CASCOR_CACHE_DEF template <class CascorWhenUsed>
#endif

namespace cascor::inline CASCOR_CACHE_ABI {
#if defined(CASCOR_CACHE_COMPILED)
using CascorWhenUsed = void;  // so that an .ipp reads the same in both forms
#endif
namespace detail {
template <class T, class WhenUsed>
struct DependentType {
  using type = T;
};
/// T itself. Written `Dependent<T, CascorWhenUsed>` in an .ipp it depends on a template's parameter, so a compiler
/// resolves what is done with it where the code is used and not where it is included.
template <class T, class WhenUsed>
using Dependent = typename DependentType<T, WhenUsed>::type;
}  // namespace detail
}  // namespace cascor::inline CASCOR_CACHE_ABI
