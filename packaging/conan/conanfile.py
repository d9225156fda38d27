"""conan create packaging/conan : hrm::hrm, and hrm::io with the option io=True (default). hrm::cuda is CMake's alone."""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load


class Hrm(ConanFile):
    name = "hrm"
    description = "State-space adapters for frozen transformers"
    license = "MIT"
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"io": [True, False]}
    default_options = {"io": True}
    no_copy_source = True

    @property
    def tree(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        text = load(self, os.path.join(self.tree, "include", "hrm", "version.hpp"))
        self.version = ".".join(re.findall(r"HRM_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text))

    def export_sources(self):
        copy(self, "LICENSE", self.tree, self.export_sources_folder)
        copy(self, "include/*", self.tree, self.export_sources_folder)

    def requirements(self):
        self.requires("eigen/3.4.0")
        if self.options.io:
            self.requires("nlohmann_json/3.11.3")

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = self.cpp_info.libdirs = []
        core = self.cpp_info.components["hrm"]
        core.set_property("cmake_target_name", "hrm::hrm")
        core.requires = ["eigen::eigen"]
        if self.settings.os in ("Linux", "FreeBSD"):
            core.system_libs = ["pthread"]
        if self.options.io:
            io = self.cpp_info.components["io"]
            io.set_property("cmake_target_name", "hrm::io")
            io.requires = ["hrm", "nlohmann_json::nlohmann_json"]
