#pragma once

// The one place of the version: CMake, pkg-config and the package recipes read it from here.
#define HRM_VERSION_MAJOR 0
#define HRM_VERSION_MINOR 1
#define HRM_VERSION_PATCH 0
