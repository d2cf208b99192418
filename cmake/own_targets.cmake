# What this project's own targets (the compiled library, tests, examples, benchmarks) have in common. Nothing here
# reaches a target of somebody else: no flags are edited, and no warning option is in an INTERFACE.

if(PROJECT_IS_TOP_LEVEL AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(CASCOR_CACHE_CCACHE ccache DOC "Empty: compile without ccache")
  if(CASCOR_CACHE_CCACHE)
    # A precompiled header holds the time it was made; without this sloppiness ccache would never see the same one twice.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CASCOR_CACHE_CCACHE})
  endif()
endif()

set(cascor_cache_warnings
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
    -Woverloaded-virtual)

function(cascor_own_target target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(${target} PRIVATE ${cascor_cache_warnings} $<$<BOOL:${CASCOR_CACHE_WERROR}>:-Werror>)
  endif()
endfunction()
