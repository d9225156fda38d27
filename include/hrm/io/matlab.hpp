#pragma once

#if !__has_include(<matio.h>)
#error "hrm/io/matlab.hpp needs the library matio (Debian: libmatio-dev); link with -lmatio"
#endif

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include <matio.h>

#include <hrm/core/matrix.hpp>
#include <hrm/io/file.hpp>

// MATLAB's .mat files (versions 4, 5 and, where matio has HDF5, 7.3, also those of Python's hdf5storage; sparse ones from 5 on). The one header that
// needs the library matio, and so in no umbrella:
//     #include <hrm/io/matlab.hpp>      // link with -lmatio

namespace hrm {

/// A .mat file that is open for reading.
///     hrm::matlab_file file("model.mat");
///     if (file.contains("A")) auto a = file.to_matrix("A");
/// Real numeric matrices, full or sparse, of any class, as double (64-bit integers rounded). Throws io_error naming the file and the variable: absent,
/// complex, not numeric, of more than two dimensions, or larger than `most` numbers as a dense matrix.
class matlab_file {
public:
    static constexpr std::size_t most_dense = std::size_t{1} << 27;

    explicit matlab_file(const std::string& path) : path_(path), file_(nullptr, &Mat_Close) {
        if (!file_exists(path)) detail::throw_errno("hrm::matlab_file", path, ENOENT);
        if (file_size(path) == 0) throw io_error("hrm::matlab_file: " + path + ": 0 bytes, no .mat file");  // matio takes it for one
        file_.reset(Mat_Open(path.c_str(), MAT_ACC_RDONLY));
        if (!file_)
            throw io_error("hrm::matlab_file: " + path + ": no .mat file, or of a version this matio cannot read; save -v7 in MATLAB, scipy.io.savemat in "
                           "Python write one that it can");
    }

    bool contains(const std::string& name) const { return info(name) != nullptr; }

    matrix<double> to_matrix(const std::string& name, std::size_t most = most_dense) const {
        const auto about = info(name);
        if (!about) fail(name, "is not in the file; it holds " + names() + older());
        if (about->rank != 2) fail(name, "has " + std::to_string(about->rank) + " dimensions, expected 2");
        if (about->isComplex) fail(name, "is complex, expected real numbers");
        const std::size_t rows = about->dims[0], cols = about->dims[1];
        if (cols > 0 && rows > most / cols)
            fail(name, "is " + extents(static_cast<index_t>(rows), static_cast<index_t>(cols)) + ": more than " + std::to_string(most) + " numbers as a dense matrix");
        matrix<double> m(static_cast<index_t>(rows), static_cast<index_t>(cols));
        if (m.empty()) return m;
        if (about->class_type == MAT_C_EMPTY && about->data_type == MAT_T_UNKNOWN && hdf5()) return classless(about.get(), name);
        const variable full(Mat_VarRead(file_.get(), name.c_str()), &Mat_VarFree);
        if (!full || (!full->data && full->class_type != MAT_C_EMPTY)) fail(name, "cannot be read: the file is damaged");
        switch (full->class_type) {
            case MAT_C_DOUBLE: copy<double>(*full, name, m); break;
            case MAT_C_SINGLE: copy<float>(*full, name, m); break;
            case MAT_C_INT8: copy<mat_int8_t>(*full, name, m); break;
            case MAT_C_UINT8: copy<mat_uint8_t>(*full, name, m); break;
            case MAT_C_INT16: copy<mat_int16_t>(*full, name, m); break;
            case MAT_C_UINT16: copy<mat_uint16_t>(*full, name, m); break;
            case MAT_C_INT32: copy<mat_int32_t>(*full, name, m); break;
            case MAT_C_UINT32: copy<mat_uint32_t>(*full, name, m); break;
            case MAT_C_INT64: copy<std::int64_t>(*full, name, m); break;
            case MAT_C_UINT64: copy<std::uint64_t>(*full, name, m); break;
            case MAT_C_SPARSE: spread(*static_cast<const mat_sparse_t*>(full->data), full->data_type, name, m); break;
            default: fail(name, "is not a numeric matrix" + older());
        }
        return m;
    }

private:
    using variable = std::unique_ptr<matvar_t, void (*)(matvar_t*)>;

    [[noreturn]] void fail(const std::string& name, const std::string& what) const {
        throw io_error("hrm::matlab_file: " + path_ + ": " + name + " " + what);
    }
    bool hdf5() const { return Mat_GetVersion(file_.get()) == MAT_FT_MAT73; }
    /// What to do about a file of version 7.3: of those matio knows what MATLAB writes, and passes over what stands behind a structure of others.
    std::string older() const { return hdf5() ? "; of version 7.3 not all can be read: save -v7 in MATLAB, scipy.io.savemat in Python write one that can" : ""; }
    /// matio loses the class where its name ends in no NUL, as hdf5storage writes it. HDF5 makes doubles of numbers of any type, and of nothing else.
    matrix<double> classless(matvar_t* v, const std::string& name) const {
        matrix<double> columns(static_cast<index_t>(v->dims[1]), static_cast<index_t>(v->dims[0]));
        const auto count = static_cast<int>(columns.size());
        v->class_type = MAT_C_DOUBLE;
        if (count != columns.size() || Mat_VarReadDataLinear(file_.get(), v, columns.data(), 0, 1, count) != 0) fail(name, "is not a numeric matrix" + older());
        return detail::transpose(columns);
    }
    variable info(const std::string& name) const {
        Mat_Rewind(file_.get());
        return {Mat_VarReadInfo(file_.get(), name.c_str()), &Mat_VarFree};
    }
    /// "A, B, C": what the file holds, the first ten.
    std::string names() const {
        std::string list;
        Mat_Rewind(file_.get());
        for (int i = 0;; ++i) {
            const variable next(Mat_VarReadNextInfo(file_.get()), &Mat_VarFree);
            if (!next || !next->name) return list.empty() ? "no variables" : list;
            if (i == 10) return list + ", ...";
            list += (i > 0 ? ", " : "");
            for (const char* c = next->name; *c; ++c) list += *c >= ' ' && *c <= '~' ? *c : '?';
        }
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

/// Replaces the file at path by these variables, version 5, atomically. The bytes are put together here, for matio does not
/// say when a disk is full. Throws io_error on a name or a matrix that version 5 has no room for.
inline void write_matlab(const std::string& path, const std::map<std::string, matrix<double>>& variables) {
    std::string out = "MATLAB 5.0 MAT-file, written by hrm";
    out.resize(124, ' ');
    const auto put = [&]<class T>(T value) { out.append(std::bit_cast<std::array<char, sizeof(T)>>(value).data(), sizeof(T)); };
    const auto tag = [&](std::uint32_t type, std::size_t bytes) {
        put(type);
        put(static_cast<std::uint32_t>(bytes));
    };
    constexpr std::uint32_t int8 = 1, int32 = 5, uint32 = 6, float64 = 9, array = 14, class_double = 6;
    put(std::uint16_t{0x0100});  // the version
    put(std::uint16_t{0x4d49});  // "MI" says in which order bytes lie
    for (const auto& [name, m] : variables) {
        constexpr auto most = std::numeric_limits<std::int32_t>::max();
        if (name.empty() || name.size() > 63 || m.rows() > most || m.cols() > most || m.size() > most / 8)
            throw io_error("hrm::write_matlab: " + path + ": " + name + " is " + extents(m.rows(), m.cols()) +
                           ": a .mat file takes names of 1 to 63 letters and at most " + std::to_string(most / 8) + " numbers");
        const std::size_t padded = (name.size() + 7) / 8 * 8, bytes = 8 * static_cast<std::size_t>(m.size());
        tag(array, 16 + 16 + 8 + padded + 8 + bytes);
        tag(uint32, 8);
        put(class_double);
        put(std::uint32_t{0});
        tag(int32, 8);
        put(static_cast<std::int32_t>(m.rows()));
        put(static_cast<std::int32_t>(m.cols()));
        tag(int8, name.size());
        out += name;
        out.append(padded - name.size(), '\0');
        tag(float64, bytes);
        const auto columns = detail::transpose(m);
        out.append(reinterpret_cast<const char*>(columns.data()), bytes);
    }
    write_atomically(path, out);
}

}  // namespace hrm
