# Finds hiredis, which some distributions ship without a CMake target, and defines hiredis::hiredis unless hiredis's
# own package has done so. Headers are included as <hiredis/hiredis.h>. This file is installed: the package's config
# file uses it too.

if(NOT TARGET hiredis::hiredis)
  find_path(Hiredis_INCLUDE_DIR hiredis/hiredis.h)
  find_library(Hiredis_LIBRARY hiredis)
  mark_as_advanced(Hiredis_INCLUDE_DIR Hiredis_LIBRARY)

  if(Hiredis_INCLUDE_DIR)
    file(STRINGS ${Hiredis_INCLUDE_DIR}/hiredis/hiredis.h lines REGEX "#define HIREDIS_(MAJOR|MINOR|PATCH) ")
    string(REGEX REPLACE "[^;]*HIREDIS_[A-Z]+ +([0-9]+)[^;]*" "\\1" Hiredis_VERSION "${lines}")
    list(JOIN Hiredis_VERSION "." Hiredis_VERSION)
  endif()

  include(FindPackageHandleStandardArgs)
  find_package_handle_standard_args(
    Hiredis
    REQUIRED_VARS Hiredis_LIBRARY Hiredis_INCLUDE_DIR
    VERSION_VAR Hiredis_VERSION
    REASON_FAILURE_MESSAGE "On Debian: apt-get install libhiredis-dev")

  if(Hiredis_FOUND)
    add_library(hiredis::hiredis UNKNOWN IMPORTED)
    set_target_properties(hiredis::hiredis PROPERTIES IMPORTED_LOCATION ${Hiredis_LIBRARY}
                                                      INTERFACE_INCLUDE_DIRECTORIES ${Hiredis_INCLUDE_DIR})
  endif()
else()
  set(Hiredis_FOUND TRUE)
endif()
