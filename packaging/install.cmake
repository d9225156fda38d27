# Headers, and package files that find everything from their own place: the installed tree can be moved.
# Nothing depends on the architecture, so nothing goes to lib/.
include(CMakePackageConfigHelpers)
set(package_dir share/cmake/hrm)

install(TARGETS hrm hrm_cuda EXPORT hrm-targets FILE_SET HEADERS DESTINATION include)
install(EXPORT hrm-targets NAMESPACE hrm:: DESTINATION ${package_dir})
if(TARGET hrm_io)
  # A set of its own, which the config reads only where nlohmann_json is found.
  install(TARGETS hrm_io EXPORT hrm-io-targets)
  install(EXPORT hrm-io-targets NAMESPACE hrm:: DESTINATION ${package_dir})
endif()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/hrm-config.cmake.in ${PROJECT_BINARY_DIR}/hrm-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hrm-config-version.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
configure_file(${CMAKE_CURRENT_LIST_DIR}/hrm.pc.in ${PROJECT_BINARY_DIR}/hrm.pc @ONLY)

install(FILES ${PROJECT_BINARY_DIR}/hrm-config.cmake ${PROJECT_BINARY_DIR}/hrm-config-version.cmake
  DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/hrm.pc DESTINATION share/pkgconfig)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/hrm)
