// A whole board, ek_board, as a library: its serial line in bytes, its states as events.
//
// Everything happens in virtual time, in nanoseconds since the first power-on: a clock of the
// board, a half clock of the slow oscillator while the board has stopped its own, or what the
// caller lets pass while the board has nothing to do. One thread at a time.
//
// Pauses of a RUN are skipped, and nothing changes by that. The design says how long nothing but
// its time will change (`ahead`), and only its counters of time did change for a whole turn of
// them before, which CXXRTL tells: all else stands still until the design's next event.
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <new>

#define EK_SLOW_CLOCK
#include "ek_dut.hpp"

namespace {

constexpr uint32_t kResetClocks = 16;
constexpr double kSeenClocks = 16.0;  // synchronizers
constexpr uint64_t kSlowHalfNs = 50000;  // of 10 kHz
constexpr uint32_t kMark = 1, kAwake = 2, kRunning = 4;
// Counters that go on in a pause: with every clock that of clocks, with the last one of a
// microsecond those of the link and of the RUN too; asleep, with a rising slow clock one.
constexpr unsigned kEachClock = 1, kEachMicrosecond = 3, kEachSlowClock = 1;

struct Board {
    ek::Top *top = nullptr;
    uint64_t ns = 0, part = 0, whole = 0, rest = 0, hz = 1;  // time, and what a clock adds to it
    uint64_t clocks = 0, next_slow = kSlowHalfNs;
    double bit = 8.0;  // clocks of one bit of the host's line
    std::deque<uint8_t> in;
    uint32_t in_bits = 0;  // still to send of the byte on the line, 0 between bytes
    uint32_t in_shift = 0;
    double in_next = 0.0;
    double quiet_from = 0.0;  // clock at which the board has surely seen all that was sent
    int out_bit = -1;  // to sample next; -1 between bytes
    uint32_t out_shift = 0;
    double out_next = 0.0;
    uint32_t resetting = 0, levels = ~0u;
    uint64_t received = 0, sent = 0;
    bool slow = false;
    bool skips = true;
    uint32_t clocks_us = 1;
    ek::Changed changed;
    uint32_t ticks = 0;   // the last clocks that changed as many registers as any in a pause,
    uint32_t before = 0;  // and how many the one before them changed
    uint32_t slow_changed[2] = {0, 0};  // by the last edge to this level
    uint64_t evaluated = 0;
};

void set_rx(Board &b, bool level) { ek::set_bit(b.top->EK_PORT(rx, rx), level); }

// The host's end of the line towards the board, at clock `b.clocks`.
void send(Board &b) {
    const double now = static_cast<double>(b.clocks);
    if (b.in_bits == 0) {
        if (b.in.empty() || now < b.in_next) return;  // a stop bit lasts as long as any
        b.in_shift = (uint32_t{b.in.front()} << 1) | 0x200;
        b.in.pop_front();
        b.in_bits = 10;
        b.in_next = now;
    }
    if (now < b.in_next) return;
    set_rx(b, b.in_shift & 1);
    b.in_shift >>= 1;
    b.in_next += b.bit;
    if (--b.in_bits == 0) {
        b.received++;
        b.quiet_from = b.in_next + 2.0 * b.bit + kSeenClocks;
    }
}

// The host's end of the line from the board; returns whether `byte` is complete.
bool receive(Board &b, bool level, uint8_t &byte) {
    const double now = static_cast<double>(b.clocks);
    if (b.out_bit < 0) {
        if (level) return false;
        b.out_bit = 0;
        b.out_shift = 0;
        b.out_next = now + 1.5 * b.bit;
        return false;
    }
    if (now < b.out_next) return false;
    b.out_next += b.bit;
    if (b.out_bit < 8) {
        b.out_shift |= uint32_t{level} << b.out_bit++;
        return false;
    }
    b.out_bit = -1;
    byte = static_cast<uint8_t>(b.out_shift);
    return level;  // a stop bit that is low: no byte
}

void pass(Board &b, uint64_t ns) {
    b.ns += ns;
    while (b.next_slow <= b.ns) b.next_slow += 2 * kSlowHalfNs;
}

void pass_clocks(Board &b, uint64_t clocks) {
    b.clocks += clocks;
    b.ns += clocks * b.whole;
    b.part += clocks * b.rest;
    b.ns += b.part / b.hz;
    b.part %= b.hz;
}

void slow_edge(Board &b) {
    b.slow = !b.slow;
    b.next_slow += kSlowHalfNs;
    b.evaluated++;
    const uint32_t before = b.changed.count;
    ek::slow_clock(*b.top, b.slow, b.changed);
    b.slow_changed[b.slow] = b.changed.count - before;
}

// Keeps how many registers the last clock changed.
void watch(Board &b) {
    if (b.changed.count == kEachClock) {
        b.ticks++;
        return;
    }
    b.ticks = 0;
    b.before = b.changed.count;
}

uint32_t ahead(const Board &b) { return ek::number(b.top->EK_PORT(ahead, ahead)); }
void set_skip(Board &b, uint32_t units) { ek::put_number(b.top->EK_PORT(skip, skip), units); }

// Microseconds to skip at the next clock, to before `until_ns`.
uint32_t to_skip(Board &b, uint64_t until_ns) {
    if (!b.skips || b.ticks + 1 != b.clocks_us || b.before != kEachMicrosecond) return 0;
    const uint64_t room = (until_ns - b.ns) / (b.whole + 1) / b.clocks_us;
    if (room < 2) return 0;
    ek::settle(*b.top);  // outputs are those before the last edge, and this counts in clocks
    b.evaluated++;
    return static_cast<uint32_t>(std::min<uint64_t>(ahead(b), room - 1));
}

// Slow clocks to skip at the next one, which rises.
uint32_t to_sleep(const Board &b, uint64_t until_ns) {
    if (!b.skips || b.slow || until_ns <= b.next_slow) return 0;
    if (b.slow_changed[0] != 0 || b.slow_changed[1] != kEachSlowClock) return 0;
    const uint64_t most = (until_ns - b.next_slow) / (2 * kSlowHalfNs);
    return static_cast<uint32_t>(std::min<uint64_t>(ahead(b), most));
}

uint32_t levels_of(const Board &b) {
    const ek::Top &t = *b.top;
    return (ek::bit(t.EK_PORT(mark, mark)) ? kMark : 0) |
           (ek::bit(t.EK_PORT(awake, awake)) ? kAwake : 0) |
           (ek::bit(t.EK_PORT(running, running)) ? kRunning : 0);
}

void idle_inputs(Board &b) {
    ek::set_bit(b.top->EK_PORT(twin, twin), true);
    set_rx(b, true);
    b.in_bits = 0;
    b.out_bit = -1;
    b.resetting = kResetClocks;
}

}  // namespace

extern "C" {

struct EkEvent {
    uint64_t ns;
    uint64_t levels;  // 1 mark, 2 awake, 4 running
};

// Why ek_run returned.
enum { kTime = 0, kQuiet = 1, kFull = 2 };

// A board with a clock of `hz`, `clocks_us` of them a microsecond to it, whose host's bits last
// `bit` clocks. With `skips` pauses of a RUN are skipped, where the simulator can.
Board *ek_open(uint64_t hz, uint32_t clocks_us, double bit, int skips) {
    Board *b = new Board;
    b->hz = hz;
    b->whole = 1000000000u / hz;
    b->rest = 1000000000u % hz;
    b->clocks_us = clocks_us;
    b->bit = bit;
    b->skips = skips != 0;
    return b;
}

void ek_close(Board *b) {
    delete b->top;
    delete b;
}

// Apply power: every register and block RAM as configured, the rest noise.
void ek_power(Board *b) {
    delete b->top;
    b->top = new ek::Top;
    b->in.clear();
    idle_inputs(*b);
    b->levels = ~0u;
}

// Press the reset button; what was on the line is lost.
void ek_reset(Board *b) {
    b->in.clear();
    idle_inputs(*b);
}

void ek_feed(Board *b, const uint8_t *bytes, uint64_t count) {
    b->in.insert(b->in.end(), bytes, bytes + count);
}

// Let time pass in which nothing happens.
void ek_pass(Board *b, uint64_t ns) { pass(*b, ns); }

uint64_t ek_ns(const Board *b) { return b->ns; }
uint64_t ek_clocks(const Board *b) { return b->clocks; }
uint64_t ek_evaluated(const Board *b) { return b->evaluated; }
uint64_t ek_received(const Board *b) { return b->received; }

// Run until `until_ns`, or until nothing can happen before the host's next byte, or `bytes` or
// `events` is full. Counts are capacities before, what was written after.
int ek_run(Board *b, uint64_t until_ns, uint8_t *bytes, uint64_t *byte_count, EkEvent *events,
           uint64_t *event_count) {
    const uint64_t byte_room = *byte_count, event_room = *event_count;
    uint64_t got = 0, seen = 0;
    int why = kTime;
    ek::Top &t = *b->top;
    while (b->ns < until_ns) {
        const bool awake = (b->levels & kAwake) != 0;
        const bool silent = b->in.empty() && b->in_bits == 0 && b->out_bit < 0 &&
                            b->resetting == 0 && static_cast<double>(b->clocks) > b->quiet_from;
        if (silent && b->levels != ~0u && !(b->levels & kRunning) &&
            (!awake || ek::bit(t.EK_PORT(idle, idle)))) {
            why = kQuiet;
            break;
        }
        if (!awake && b->levels != ~0u) {  // its own clock stands still
            if (const uint32_t clocks = b->in.empty() ? to_sleep(*b, until_ns) : 0) {
                b->next_slow += uint64_t{clocks} * 2 * kSlowHalfNs;
                set_skip(*b, clocks);
            }
            b->ns = b->next_slow;
            // A byte wakes it, and is lost: the line falls and rises again.
            if (!b->in.empty()) {
                b->in.pop_front();
                b->received++;
                set_rx(*b, false);
                ek::slow_clock(t, b->slow, b->changed);
                set_rx(*b, true);
            }
            slow_edge(*b);
            set_skip(*b, 0);
            b->ticks = 0;
        } else {
            ek::set_bit(t.EK_PORT(rst, rst), b->resetting != 0);
            if (b->resetting != 0) b->resetting--;
            send(*b);
            const uint32_t skip = silent ? to_skip(*b, until_ns) : 0;
            set_skip(*b, skip);
            b->changed.count = 0;
            ek::clock(t, b->changed);
            b->evaluated++;
            pass_clocks(*b, 1 + uint64_t{skip} * b->clocks_us);
            while (b->ns >= b->next_slow) slow_edge(*b);
            watch(*b);
            uint8_t byte;
            if (receive(*b, ek::bit(t.EK_PORT(tx, tx)), byte)) {
                bytes[got++] = byte;
                b->sent++;
            }
        }
        const uint32_t levels = levels_of(*b);
        if (levels != b->levels) {
            b->levels = levels;
            events[seen++] = {b->ns, levels};
        }
        if (got == byte_room || seen == event_room) {
            why = kFull;
            break;
        }
    }
    *byte_count = got;
    *event_count = seen;
    return why;
}

}  // extern "C"
