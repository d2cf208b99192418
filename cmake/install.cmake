# What `cmake --install` puts where: headers, targets, the CMake package and the pkg-config file.
# Two export sets, so that a program of the memory cache alone finds the package on a machine without hiredis.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cascor-cache)

install(
  DIRECTORY ${PROJECT_SOURCE_DIR}/include/cascor
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING
  PATTERN "*.hpp"
  PATTERN "*.ipp")

install(TARGETS cascor-memory-cache EXPORT cascor-memory-cache-targets)
install(TARGETS cascor-cache EXPORT cascor-cache-targets)
if(CASCOR_CACHE_BUILD_COMPILED)
  install(TARGETS cascor-cache-compiled EXPORT cascor-cache-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(EXPORT cascor-memory-cache-targets NAMESPACE cascor:: DESTINATION ${package_dir})
install(EXPORT cascor-cache-targets NAMESPACE cascor:: DESTINATION ${package_dir})

# Whoever links the library that was compiled with simdjson links that too.
set(package_needs_simdjson ${cascor_simdjson_header_only})
if(cascor_simdjson_compiled AND CASCOR_CACHE_BUILD_COMPILED)
  set(package_needs_simdjson ON)
endif()
configure_package_config_file(cmake/cascor-cache-config.cmake.in cascor-cache-config.cmake
                              INSTALL_DESTINATION ${package_dir})
# While the major version is 0 a minor version may break; without a compiled library any machine can use the package.
if(CASCOR_CACHE_BUILD_COMPILED)
  write_basic_package_version_file(cascor-cache-config-version.cmake COMPATIBILITY SameMinorVersion)
else()
  write_basic_package_version_file(cascor-cache-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
endif()
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cascor-cache-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/cascor-cache-config-version.cmake cmake/FindHiredis.cmake
        DESTINATION ${package_dir})

# The prefix is found from where the .pc file lies, because `cmake --install --prefix` may choose another one.
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH prefix_from_pkgconfig ${CMAKE_INSTALL_PREFIX}/${pkgconfig_dir} ${CMAKE_INSTALL_PREFIX})
set(pkgconfig_requires "hiredis, yaml-cpp, nlohmann_json")
set(pkgconfig_cflags "")
if(CASCOR_CACHE_TLS)
  string(APPEND pkgconfig_requires ", openssl")
else()
  string(APPEND pkgconfig_cflags " -DCASCOR_CACHE_NO_TLS")
endif()
if(cascor_simdjson_header_only)
  string(APPEND pkgconfig_requires ", simdjson")
  string(APPEND pkgconfig_cflags " -DCASCOR_CACHE_SIMDJSON")
endif()
configure_file(cmake/cascor-cache.pc.in cascor-cache.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cascor-cache.pc DESTINATION ${pkgconfig_dir})

# The command, its manual page and its completion, which a package may want apart from the headers.
if(CASCOR_CACHE_BUILD_TOOLS)
  set(tool_dir ${PROJECT_SOURCE_DIR}/tools/cascor-cache)
  install(TARGETS cascor-cache-tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
  install(FILES ${tool_dir}/cascor-cache.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tools)
  install(FILES ${tool_dir}/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          RENAME cascor-cache COMPONENT tools)
endif()
