#pragma once

#if !__has_include(<matio.h>)
#error "hrm/io/matlab.hpp needs the library matio (Debian: libmatio-dev); link with -lmatio"
#endif

#include <unistd.h>

#include <limits>
#include <map>
#include <memory>
#include <string>

#include <matio.h>

#include <hrm/core/matrix.hpp>
#include <hrm/io/file.hpp>

// MATLAB's .mat files (versions 4, 5 and, where matio has HDF5, 7.3; sparse ones from 5 on). The one header that needs the library matio, and so
// in no umbrella:
//     #include <hrm/io/matlab.hpp>      // link with -lmatio

namespace hrm {

/// A .mat file that is open for reading.
///     hrm::matlab_file file("model.mat");
///     if (file.contains("A")) auto a = file.to_matrix("A");
/// Real numeric matrices, full or sparse, of any class, as double. Throws io_error naming the file and the variable: absent,
/// complex, not numeric, of more than two dimensions, or larger than `most` numbers as a dense matrix.
class matlab_file {
public:
    static constexpr std::size_t most_dense = std::size_t{1} << 27;

    explicit matlab_file(const std::string& path) : path_(path), file_(nullptr, &Mat_Close) {
        if (!file_exists(path)) detail::throw_errno("hrm::matlab_file", path, ENOENT);
        file_.reset(Mat_Open(path.c_str(), MAT_ACC_RDONLY));
        if (!file_) throw io_error("hrm::matlab_file: " + path + ": no .mat file, or of a version this matio cannot read");
    }

    bool contains(const std::string& name) const { return info(name) != nullptr; }

    matrix<double> to_matrix(const std::string& name, std::size_t most = most_dense) const {
        const auto about = info(name);
        if (!about) fail(name, "is not in the file");
        if (about->rank != 2) fail(name, "has " + std::to_string(about->rank) + " dimensions, expected 2");
        if (about->isComplex) fail(name, "is complex, expected real numbers");
        const std::size_t rows = about->dims[0], cols = about->dims[1];
        if (cols > 0 && rows > most / cols)
            fail(name, "is " + extents(static_cast<index_t>(rows), static_cast<index_t>(cols)) + ": more than " + std::to_string(most) + " numbers as a dense matrix");
        const variable full(Mat_VarRead(file_.get(), name.c_str()), &Mat_VarFree);
        matrix<double> m(static_cast<index_t>(rows), static_cast<index_t>(cols));
        if (m.empty()) return m;
        if (!full || !full->data) fail(name, "cannot be read: the file is damaged");
        switch (full->class_type) {
            case MAT_C_DOUBLE: copy<double>(*full, name, m); break;
            case MAT_C_SINGLE: copy<float>(*full, name, m); break;
            case MAT_C_INT8: copy<mat_int8_t>(*full, name, m); break;
            case MAT_C_UINT8: copy<mat_uint8_t>(*full, name, m); break;
            case MAT_C_INT16: copy<mat_int16_t>(*full, name, m); break;
            case MAT_C_UINT16: copy<mat_uint16_t>(*full, name, m); break;
            case MAT_C_INT32: copy<mat_int32_t>(*full, name, m); break;
            case MAT_C_UINT32: copy<mat_uint32_t>(*full, name, m); break;
            case MAT_C_SPARSE: spread(*static_cast<const mat_sparse_t*>(full->data), full->data_type, name, m); break;
            default: fail(name, "is not a numeric matrix");
        }
        return m;
    }

private:
    using variable = std::unique_ptr<matvar_t, void (*)(matvar_t*)>;

    [[noreturn]] void fail(const std::string& name, const std::string& what) const {
        throw io_error("hrm::matlab_file: " + path_ + ": " + name + " " + what);
    }
    variable info(const std::string& name) const {
        Mat_Rewind(file_.get());
        return {Mat_VarReadInfo(file_.get(), name.c_str()), &Mat_VarFree};
    }
    template <class T>
    void copy(const matvar_t& v, const std::string& name, matrix<double>& m) const {
        if (v.nbytes < sizeof(T) * static_cast<std::size_t>(m.size())) fail(name, "cannot be read: the file is damaged");
        const auto* from = static_cast<const T*>(v.data);  // column by column
        for (index_t j = 0; j < m.cols(); ++j)
            for (index_t i = 0; i < m.rows(); ++i) m(i, j) = static_cast<double>(*from++);
    }
    void spread(const mat_sparse_t& s, matio_types type, const std::string& name, matrix<double>& m) const {
        if (static_cast<index_t>(s.njc) != m.cols() + 1 || (type != MAT_T_DOUBLE && type != MAT_T_SINGLE && s.ndata > 0))
            fail(name, "is no sparse matrix of real numbers");
        for (index_t j = 0; j < m.cols(); ++j)
            for (auto k = s.jc[j]; k < s.jc[j + 1]; ++k) {
                if (k >= s.nir || k >= s.ndata || static_cast<index_t>(s.ir[k]) >= m.rows()) fail(name, "points outside itself: the file is damaged");
                m(static_cast<index_t>(s.ir[k]), j) =
                    type == MAT_T_DOUBLE ? static_cast<const double*>(s.data)[k] : static_cast<double>(static_cast<const float*>(s.data)[k]);
            }
    }

    std::string path_;
    std::unique_ptr<mat_t, int (*)(mat_t*)> file_;
};

/// Replaces the file at path by these variables, version 5, atomically.
inline void write_matlab(const std::string& path, const std::map<std::string, matrix<double>>& variables) {
    const auto temporary = path + ".tmp-" + std::to_string(::getpid());
    const auto refuse = [&](const std::string& what) {
        ::unlink(temporary.c_str());
        throw io_error("hrm::write_matlab: " + path + ": " + what);
    };
    std::unique_ptr<mat_t, int (*)(mat_t*)> file(Mat_CreateVer(temporary.c_str(), nullptr, MAT_FT_MAT5), &Mat_Close);
    if (!file) refuse("cannot be written");
    for (const auto& [name, m] : variables) {
        std::size_t dims[2] = {static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols())};
        auto columns = detail::transpose(m);
        const std::unique_ptr<matvar_t, void (*)(matvar_t*)> v(
            Mat_VarCreate(name.c_str(), MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, columns.data(), 0), &Mat_VarFree);
        if (!v || Mat_VarWrite(file.get(), v.get(), MAT_COMPRESSION_NONE) != 0) refuse(name + " cannot be written");
    }
    file.reset();
    try {
        write_atomically(path, read_file(temporary));
    } catch (const io_error&) {
        ::unlink(temporary.c_str());
        throw;
    }
    ::unlink(temporary.c_str());
}

}  // namespace hrm
