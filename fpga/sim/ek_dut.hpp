// One design, whichever simulator compiled it: ports by name, bytes in and out, clock edges.
//
// EK_TOP names the top module. -DEK_CXXRTL takes design.cc, which yosys' write_cxxrtl wrote;
// -DEK_VERILATOR takes the classes that Verilator wrote for EK_TOP. The clock input is `clk`.
#ifndef EK_DUT_HPP
#define EK_DUT_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(EK_CXXRTL)

#include "design.cc"

// Yosys doubles the underscores of a name and puts p_ in front: a port is given both ways.
#define EK_PORT(plain, doubled) p_##doubled

namespace ek {

using Top = cxxrtl_design::EK_TOP_CLASS;

// How many registers and words of memories changed.
struct Changed {
    unsigned count = 0;

    void on_update(size_t, const cxxrtl::chunk_t *, const cxxrtl::chunk_t *) { count++; }
    void on_update(size_t, const cxxrtl::chunk_t *, const cxxrtl::chunk_t *, size_t) { count++; }
};

template <size_t Bits>
inline void put(cxxrtl::value<Bits> &port, const uint8_t *bytes, size_t count) {
    std::memset(port.data, 0, sizeof port.data);
    std::memcpy(port.data, bytes, count);
}

template <size_t Bits>
inline void get(const cxxrtl::value<Bits> &port, uint8_t *bytes, size_t count) {
    std::memcpy(bytes, port.data, count);
}

template <size_t Bits>
inline void get(const cxxrtl::wire<Bits> &port, uint8_t *bytes, size_t count) {
    std::memcpy(bytes, port.curr.data, count);
}

inline void set_bit(cxxrtl::value<1> &port, bool level) { port.data[0] = level; }
inline bool bit(const cxxrtl::value<1> &port) { return port.data[0] != 0; }
inline bool bit(const cxxrtl::wire<1> &port) { return port.curr.data[0] != 0; }

inline void settle(Top &top) {
    top.p_clk.data[0] = 0;
    top.step();
}

inline void edge(Top &top) {
    top.p_clk.data[0] = 1;
    top.step();
}

// One whole clock in one evaluation: outputs are those just before the edge, or just after it
// where they are registers.
inline void clock(Top &top) {
    top.prev_p_clk.data[0] = 0;
    top.p_clk.data[0] = 1;
    top.step();
}

#if defined(EK_SLOW_CLOCK)
inline void put_number(cxxrtl::value<24> &port, uint32_t number) { port.data[0] = number; }
inline uint32_t number(const cxxrtl::value<24> &port) { return port.data[0]; }

inline void step(Top &top, Changed &changed) {
    bool converged;
    do converged = top.eval(nullptr);
    while (top.commit(changed) && !converged);
}

inline void clock(Top &top, Changed &changed) {
    top.prev_p_clk.data[0] = 0;
    top.p_clk.data[0] = 1;
    step(top, changed);
}

inline void slow_clock(Top &top, bool level, Changed &changed) {
    top.p_slow__clk.data[0] = level;
    top.p_clk.data[0] = 0;
    step(top, changed);
}
#endif

}  // namespace ek

#elif defined(EK_VERILATOR)

#include "verilated.h"
#include EK_TOP_HEADER

#define EK_PORT(plain, doubled) plain

double sc_time_stamp() { return 0; }

namespace ek {

using Top = EK_TOP_CLASS;

// Verilator does not tell how many registers change: many.
struct Changed {
    unsigned count = 0;
};

constexpr unsigned kMany = 1000;

// Ports up to 64 bits are integers, wider ones arrays of 32-bit words: bytes in order either way,
// on the little-endian machines that Verilator and this file are for.
template <typename Port>
inline void put(Port &port, const uint8_t *bytes, size_t count) {
    std::memset(&port, 0, sizeof port);
    std::memcpy(&port, bytes, count);
}

template <typename Port>
inline void get(const Port &port, uint8_t *bytes, size_t count) {
    std::memcpy(bytes, &port, count);
}

inline void set_bit(CData &port, bool level) { port = level; }
inline bool bit(const CData &port) { return port != 0; }

inline void settle(Top &top) {
    top.clk = 0;
    top.eval();
}

inline void edge(Top &top) {
    top.clk = 1;
    top.eval();
}

// One whole clock.
inline void clock(Top &top) {
    edge(top);
    settle(top);
}

#if defined(EK_SLOW_CLOCK)
inline void put_number(IData &port, uint32_t number) { port = number; }
inline uint32_t number(const IData &port) { return port; }

inline void clock(Top &top, Changed &changed) {
    clock(top);
    changed.count += kMany;
}

inline void slow_clock(Top &top, bool level, Changed &changed) {
    top.slow_clk = level;
    top.eval();
    changed.count += kMany;
}
#endif

}  // namespace ek

#else
#error "define EK_CXXRTL or EK_VERILATOR"
#endif
#endif
