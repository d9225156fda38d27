# An overlay port of the tree it lies in:  vcpkg install hrm --overlay-ports=packaging/vcpkg/ports
set(VCPKG_BUILD_TYPE release) # headers only
get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS features INVERTED_FEATURES io CMAKE_DISABLE_FIND_PACKAGE_nlohmann_json)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${features} -DHRM_TESTS=OFF -DHRM_EXAMPLES=OFF -DHRM_BENCH=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME hrm CONFIG_PATH share/cmake/hrm)
vcpkg_fixup_pkgconfig()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
