# The three libraries: the memory cache alone, everything header-only, and everything with its .ipp files compiled once.

find_package(Threads REQUIRED)
find_package(Hiredis 0.14 REQUIRED MODULE)
find_package(yaml-cpp REQUIRED CONFIG)
find_package(nlohmann_json 3.11 REQUIRED CONFIG)
if(CASCOR_CACHE_TLS)
  find_package(OpenSSL REQUIRED)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/simdjson.cmake)

add_library(cascor-memory-cache INTERFACE)
add_library(cascor::memory_cache ALIAS cascor-memory-cache)
target_compile_features(cascor-memory-cache INTERFACE cxx_std_20)
target_include_directories(
  cascor-memory-cache INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(cascor-memory-cache INTERFACE Threads::Threads)

add_library(cascor-cache INTERFACE)
add_library(cascor::cache ALIAS cascor-cache)
target_link_libraries(
  cascor-cache
  INTERFACE cascor-memory-cache
            hiredis::hiredis
            $<IF:$<TARGET_EXISTS:yaml-cpp::yaml-cpp>,yaml-cpp::yaml-cpp,yaml-cpp> # named so from 0.8 on
            nlohmann_json::nlohmann_json)
if(CASCOR_CACHE_TLS)
  target_link_libraries(cascor-cache INTERFACE OpenSSL::SSL OpenSSL::Crypto)
else()
  target_compile_definitions(cascor-cache INTERFACE CASCOR_CACHE_NO_TLS)
endif()
if(cascor_simdjson_header_only)
  target_link_libraries(cascor-cache INTERFACE simdjson::simdjson)
  target_compile_definitions(cascor-cache INTERFACE CASCOR_CACHE_SIMDJSON)
endif()

# One translation unit that includes every .ipp: docs/decisions/0001-compiled-library.md says why.
file(GLOB_RECURSE implementations CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include
     ${PROJECT_SOURCE_DIR}/include/cascor/*.ipp)
list(TRANSFORM implementations REPLACE "(.+)" "#include \"\\1\"")
list(JOIN implementations "\n" includes)
file(CONFIGURE OUTPUT cascor_cache_compiled.cpp CONTENT "${includes}\n" @ONLY)

add_library(cascor-cache-compiled STATIC ${CMAKE_CURRENT_BINARY_DIR}/cascor_cache_compiled.cpp)
add_library(cascor::cache_compiled ALIAS cascor-cache-compiled)
target_link_libraries(cascor-cache-compiled PUBLIC cascor-cache)
target_compile_definitions(cascor-cache-compiled PUBLIC CASCOR_CACHE_COMPILED)
if(cascor_simdjson_compiled)
  # Only the one unit reads it, so that what links the library need not agree.
  target_link_libraries(cascor-cache-compiled PRIVATE simdjson::simdjson)
  if(NOT cascor_simdjson_header_only)
    target_compile_definitions(cascor-cache-compiled PRIVATE CASCOR_CACHE_SIMDJSON)
  endif()
endif()
set_target_properties(cascor-cache-compiled PROPERTIES POSITION_INDEPENDENT_CODE ON)
if(NOT CASCOR_CACHE_BUILD_COMPILED)
  set_target_properties(cascor-cache-compiled PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
cascor_own_target(cascor-cache-compiled)

set_target_properties(cascor-memory-cache PROPERTIES EXPORT_NAME memory_cache)
set_target_properties(cascor-cache PROPERTIES EXPORT_NAME cache)
set_target_properties(cascor-cache-compiled PROPERTIES EXPORT_NAME cache_compiled)
