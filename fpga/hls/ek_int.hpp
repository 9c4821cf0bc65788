// Integers of a fixed width, the only values that the layers compute with.
//
// With the tools of the FPGA vendor they are ap_int and ap_uint. Anywhere else they are the plain
// integers below, which wrap at their width exactly as those do: a width that is too small gives
// wrong answers on a desktop computer too, and so is found there.
//
// A Bit stands for +1 (stored 1) or -1 (stored 0).
#ifndef EK_INT_HPP
#define EK_INT_HPP

#if defined(__SYNTHESIS__) || defined(__VITIS_HLS__) || defined(EK_VENDOR_TYPES)

#include <ap_int.h>

namespace ek
{
template <int BITS> using Signed = ap_int<BITS>;
template <int BITS> using Unsigned = ap_uint<BITS>;
} // namespace ek

#else

#include <cstdint>

namespace ek
{

// Two's complement, 1 to 32 bits.
template <int BITS> class Signed
{
    static_assert(BITS >= 1 && BITS <= 32, "a Signed has 1 to 32 bits");

  public:
    constexpr Signed() = default;
    constexpr Signed(int value) : value_(wrapped(static_cast<std::uint32_t>(value))) {}
    constexpr int to_int() const { return value_; }

  private:
    static constexpr std::uint32_t SIGN = std::uint32_t{1} << (BITS - 1);
    static constexpr std::int32_t wrapped(std::uint32_t value)
    {
        return static_cast<std::int32_t>(((value & (SIGN | (SIGN - 1))) ^ SIGN) - SIGN);
    }

    std::int32_t value_ = 0;
};

// Stores no more than its width needs, as there are many of them.
template <int BYTES> struct Cell {
    using type = std::uint64_t;
};
template <> struct Cell<1> {
    using type = std::uint8_t;
};
template <> struct Cell<2> {
    using type = std::uint16_t;
};
template <> struct Cell<4> {
    using type = std::uint32_t;
};

// Not negative, 1 to 64 bits.
template <int BITS> class Unsigned
{
    static_assert(BITS >= 1 && BITS <= 64, "an Unsigned has 1 to 64 bits");

  public:
    constexpr Unsigned() = default;
    constexpr Unsigned(std::uint64_t value) : value_(static_cast<Stored>(value & MASK)) {}
    constexpr unsigned to_uint() const { return static_cast<unsigned>(value_); }
    constexpr std::uint64_t to_uint64() const { return value_; }

  private:
    using Stored = typename Cell<(BITS <= 8 ? 1 : BITS <= 16 ? 2 : BITS <= 32 ? 4 : 8)>::type;
    static constexpr std::uint64_t MASK = ~std::uint64_t{0} >> (64 - BITS);

    Stored value_ = 0;
};

} // namespace ek

#endif

namespace ek
{

using Bit = Unsigned<1>;

inline int value(const Bit &x)
{
    return x.to_uint() != 0 ? 1 : -1;
}

template <int BITS> int value(const Signed<BITS> &x)
{
    return x.to_int();
}

// `store` is the other direction: what an activation of that type keeps of an integer.
inline void store(int x, Bit &to)
{
    to = x > 0 ? 1U : 0U;
}

template <int BITS> void store(int x, Signed<BITS> &to)
{
    to = x;
}

// weight * x; a weight of one bit only changes the sign.
inline int product(const Bit &weight, int x)
{
    return weight.to_uint() != 0 ? x : -x;
}

template <int BITS> int product(const Signed<BITS> &weight, int x)
{
    return weight.to_int() * x;
}

} // namespace ek

#endif
