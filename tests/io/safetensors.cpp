#include <hrm/io/safetensors.hpp>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "support/folder.hpp"

using namespace hrm;

namespace {

const std::string reference = HRM_TEST_DATA "/io/data/reference.safetensors";

/// A file with this header and so many zero bytes of data.
buffer<std::byte> file_of(std::string_view header, std::size_t data = 0) {
    const std::uint64_t n = header.size();
    buffer<std::byte> bytes(8 + header.size() + data);
    std::memcpy(bytes.data(), &n, 8);
    std::memcpy(bytes.data() + 8, header.data(), header.size());
    return bytes;
}
/// What reading it throws, without the "hrm::tensor_file: memory: " before it.
std::string refusal(buffer<std::byte> bytes) {
    try {
        tensor_file file(std::move(bytes));
    } catch (const io_error& e) {
        const std::string what = e.what(), before = "hrm::tensor_file: memory: ";
        CHECK(what.starts_with(before));
        CHECK(what.find('\n') == what.npos);
        return what.substr(before.size());
    }
    return "nothing";
}
std::string refusal(std::string_view header, std::size_t data = 0) { return refusal(file_of(header, data)); }

/// The tensors of data/make_reference.py.
tensor_writer reference_tensors() {
    tensor_writer out;
    out.metadata["format"] = "pt";
    const auto raw = [&]<class T>(const std::string& name, dtype type, std::vector<index_t> shape, std::vector<T> v) {
        out.add(name, type, std::move(shape), std::as_bytes(std::span(v)));
    };
    raw("weight", dtype::F32, {2, 3}, std::vector<float>{1.0f, -2.5f, 0.1f, 3e38f, -0.0f, 1e-45f});
    raw("a/double", dtype::F64, {2}, std::vector<double>{0.1, -1.0 / 3.0});
    raw("brain", dtype::BF16, {3, 1}, std::vector<bf16>{bf16(1.0f), bf16(-0.1f), bf16(3e38f)});
    raw("half", dtype::F16, {3}, std::vector<std::uint16_t>{0x3c00, 0xc500, 0x0001});
    raw("steps", dtype::I64, {2}, std::vector<std::int64_t>{7, -1});
    raw("flag", dtype::BOOL, {3}, std::vector<std::uint8_t>{1, 0, 1});
    raw("lone", dtype::F32, {}, std::vector<float>{2.5f});
    raw("nothing", dtype::F32, {0, 4}, std::vector<float>{});
    raw("na\u00efve \"q\"", dtype::F32, {1}, std::vector<float>{4.0f});
    return out;
}

}  // namespace

TEST_CASE("a file of the format's own library is read, values and all") {
    const auto f = tensor_file::read(reference);
    CHECK(f.metadata() == std::map<std::string, std::string>{{"format", "pt"}});
    CHECK(f.names() == std::vector<std::string>{"a/double", "brain", "flag", "half", "lone", "na\u00efve \"q\"", "nothing",
                                                "steps", "weight"});
    CHECK(f.to_matrix<float>("weight") == matrix<float>{{1.0f, -2.5f, 0.1f}, {3e38f, -0.0f, 1e-45f}});
    CHECK(std::signbit(f.to_matrix<float>("weight")(1, 1)));
    CHECK(f.to_matrix<double>("a/double") == matrix<double>{{0.1, -1.0 / 3}});
    CHECK(f.to_matrix<float>("brain") == matrix<float>{{1.0f}, {bf16(-0.1f)}, {bf16(3e38f)}});
    CHECK(f.to_matrix<double>("half") == matrix<double>{{1, -5, 0x1p-24}});
    CHECK(f.to_matrix<float>("lone") == matrix<float>{{2.5f}});
    CHECK(f.to_matrix<float>("nothing").rows() == 0);
    CHECK(f.to_matrix<bf16>("weight")(0, 2) == bf16(0.1f));
    CHECK(f.dtype("steps") == dtype::I64);
    CHECK(f.shape("lone").empty());
    CHECK(f.bytes("flag").size() == 3);
    CHECK_FALSE(f.contains("bias"));
    CHECK_THROWS_WITH_AS(f.at("bias"), ("hrm::tensor_file: " + reference + ": no tensor named \"bias\"").c_str(), io_error);
    CHECK_THROWS_AS(f.to_matrix<float>("steps"), io_error);
}

TEST_CASE("the same tensors make the same file as that library's, byte for byte, so it reads ours") {
    CHECK(reference_tensors().bytes() == read_file(reference));
}

TEST_CASE("round trip in float, double and bf16; strided views are packed; the order of the calls does not show") {
    const test::folder here;
    matrix<float> f(3, 5);
    matrix<double> d(1, 7);
    matrix<bf16> b(2, 2);
    for (index_t i = 0; i < f.size(); ++i) f.flat()[static_cast<std::size_t>(i)] = std::sin(static_cast<float>(i));
    for (index_t i = 0; i < d.size(); ++i) d(0, i) = std::exp(-300.0 * static_cast<double>(i));
    for (index_t i = 0; i < 4; ++i) b.flat()[static_cast<std::size_t>(i)] = bf16(0.3f * static_cast<float>(i));
    const auto part = matrix_view<const float>(f).slice_cols(1, 2);
    tensor_writer one, two;
    one.add<float>("f", f);
    one.add<double>("d", d);
    one.add<bf16>("b", b);
    one.add<float>("part", part);
    two.add<float>("part", part);
    two.add<bf16>("b", b);
    two.add<double>("d", d);
    two.add<float>("f", f);
    CHECK(one.bytes() == two.bytes());
    one.save(here.file("x"));
    const auto back = tensor_file::read(here.file("x"));
    CHECK(back.to_matrix<float>("f") == f);
    CHECK(back.to_matrix<double>("d") == d);
    CHECK(back.to_matrix<bf16>("b") == b);
    CHECK(back.to_matrix<float>("part") == matrix<float>(part));
    CHECK_THROWS_AS(one.add<float>("f", f), io_error);
    CHECK_THROWS_AS(one.add<float>("__metadata__", f), io_error);
    CHECK_THROWS_AS(one.add("short", dtype::F32, {2}, std::as_bytes(std::span("abc"))), io_error);
    one.add<float>("\xff", f);
    CHECK_THROWS_AS(one.bytes(), io_error);
}

TEST_CASE("cut at any byte, or with a byte too many, the file is refused") {
    const auto whole = reference_tensors().bytes();
    for (std::size_t n = 0; n < whole.size(); ++n)
        CHECK_MESSAGE(refusal({whole.begin(), whole.begin() + static_cast<index_t>(n)}) != "nothing", n);
    auto longer = whole;
    longer.push_back(std::byte{0});
    CHECK(refusal(longer) == "the tensors end at byte 79 of the data, the file holds 80");
    CHECK(refusal(whole) == "nothing");
}

TEST_CASE("no changed byte of a header does harm") {
    const auto whole = reference_tensors().bytes();
    const auto header = whole.size() - 79;
    for (std::size_t n = 0; n < header; ++n)
        for (int value = 0; value < 256; value += 5) {
            auto changed = whole;
            changed[n] = static_cast<std::byte>(value);
            try {
                const tensor_file f(std::move(changed));
                for (const auto& name : f.names())
                    CHECK(static_cast<index_t>(f.bytes(name).size()) * 8 == f.at(name).elements * static_cast<index_t>(bits(f.dtype(name))));
            } catch (const io_error&) {
            }
        }
}

TEST_CASE("blanks around the header are tolerated") {
    CHECK(refusal("{}") == "nothing");
    CHECK(refusal("{}   ") == "nothing");
    CHECK(refusal(" \t\r\n{}\r\n\t ") == "nothing");
    CHECK(refusal(R"({"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}})") != "nothing");
    CHECK(refusal(R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})", 2) == "nothing");
    CHECK(refusal(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1) == "nothing");
}

TEST_CASE("hostile lengths") {
    auto huge = file_of("{}");
    const auto with_length = [&](std::uint64_t n) {
        std::memcpy(huge.data(), &n, 8);
        return refusal(huge);
    };
    CHECK(with_length(100'000'001) == "a header of 100000001 bytes, at most 100000000 allowed");
    CHECK(with_length(100'000'000) == "a header of 100000000 bytes in a file of 10");
    CHECK(with_length(~std::uint64_t{0}) == "a header of 18446744073709551615 bytes, at most 100000000 allowed");
    CHECK(with_length(3) == "a header of 3 bytes in a file of 10");
    CHECK(with_length(0) == "not a JSON object");
    CHECK(refusal(buffer<std::byte>(7)) == "7 bytes, expected at least 8");
}

TEST_CASE("hostile JSON") {
    CHECK(refusal("[]") == "not a JSON object");
    CHECK(refusal("\xef\xbb\xbf{}") == "not a JSON object");
    CHECK(refusal("{") == "malformed JSON at byte 2");
    CHECK(refusal("{}x") == "malformed JSON at byte 3");
    CHECK(refusal(R"({"a":1e999})") == "a number in the JSON is beyond what a double holds");
    CHECK(refusal(std::string_view("{}\0x", 4)) == "NUL at byte 2 of the JSON");
    CHECK(refusal("{\"\xff\":1}").starts_with("malformed JSON"));
    CHECK(refusal("{\"a\":" + std::string(200'000, '[')) == "JSON nested deeper than 64");
    const std::string a = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
    CHECK(refusal("{" + a + "," + a + "}", 1) == "JSON key \"a\" appears twice");
    CHECK(refusal(R"({"__metadata__":{"k":"1","k":"2"}})") == "JSON key \"k\" appears twice");
    CHECK(refusal(R"({"__metadata__":{"k":1}})") == "metadata \"k\" is not a string");
    CHECK(refusal(R"({"__metadata__":[]})") == "__metadata__ is not an object");
}

TEST_CASE("hostile entries") {
    const auto entry = [](const char* dtype, const char* shape, const char* offsets, std::size_t data) {
        return refusal(std::string(R"({"a":{"dtype":")") + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}", data);
    };
    CHECK(entry("F32", "[2,3]", "[0,24]", 24) == "nothing");
    CHECK(entry("F33", "[1]", "[0,4]", 4) == "\"a\": unknown dtype \"F33\"");
    CHECK(entry("F32", "[2,3]", "[0,23]", 23) == "\"a\" [2, 3] takes 24 bytes, its offsets are [0, 23)");
    CHECK(entry("F32", "[2,3]", "[24,0]", 24) == "\"a\" [2, 3] takes 24 bytes, its offsets are [24, 0)");
    CHECK(entry("F32", "[2,3]", "[0,24]", 20) == "\"a\" ends at byte 24 of the data, the file holds 20");
    CHECK(entry("F32", "[2,3]", "[0,24]", 28) == "the tensors end at byte 24 of the data, the file holds 28");
    CHECK(entry("F32", "[2,3]", "[4,28]", 28) == "\"a\" starts at byte 4 of the data, expected 0");
    CHECK(entry("F32", "[-1]", "[0,4]", 4) == "\"a\": -1 is not a size");
    CHECK(entry("F32", "[1.0]", "[0,4]", 4) == "\"a\": 1.0 is not a size");
    CHECK(entry("F32", "[\"1\"]", "[0,4]", 4) == "\"a\": \"1\" is not a size");
    CHECK(entry("F32", "[1]", "[0,4,8]", 4) == "\"a\": data_offsets has 3 numbers, expected 2");
    CHECK(entry("F32", "[1]", "7", 4) == "\"a\": data_offsets is not a list");
    // 2^32 * 2^32 elements wrap to 0, 2^61 floats to 2^66 bits, and so they must not.
    CHECK(entry("F32", "[4294967296,4294967296]", "[0,0]", 0) == "\"a\": shape overflows");
    CHECK(entry("F32", "[2305843009213693952]", "[0,0]", 0) == "\"a\": shape overflows");
    CHECK(entry("F32", "[4294967296,4294967296,0]", "[0,0]", 0) == "\"a\": shape overflows");
    CHECK(entry("U8", "[99999999999999999999]", "[0,0]", 0).ends_with("is not a size"));
    CHECK(entry("F4", "[3]", "[0,1]", 1) == "\"a\" does not fill whole bytes");
    CHECK(entry("F6_E2M3", "[4]", "[0,3]", 3) == "nothing");
    CHECK(refusal(R"({"a":7})") == "\"a\" has no shape");
    CHECK(refusal(R"({"a":{"shape":[],"data_offsets":[0,4]}})", 4) == "\"a\" has no dtype");
    CHECK(refusal(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4) == "\"a\" has no shape");
}

TEST_CASE("tensors that overlap or leave a hole") {
    const auto two = [](const char* first, const char* second, std::size_t data) {
        return refusal(std::string(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)") + first +
                           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}", data);
    };
    CHECK(two("[0,4]", "[4,8]", 8) == "nothing");
    CHECK(two("[4,8]", "[0,4]", 8) == "nothing");
    CHECK(two("[0,4]", "[0,4]", 4) == "\"b\" starts at byte 0 of the data, expected 4");
    CHECK(two("[0,4]", "[2,6]", 6) == "\"b\" starts at byte 2 of the data, expected 4");
    CHECK(two("[0,4]", "[5,9]", 9) == "\"b\" starts at byte 5 of the data, expected 4");
}

TEST_CASE("data at an odd address is read all the same") {
    const auto f = tensor_file(file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F64","shape":[2],"data_offsets":[1,17]}})", 17));
    CHECK(f.to_matrix<double>("b") == matrix<double>{{0, 0}});
}
