// An iCE40 netlist in simulation: LUTs, carries, flip-flops and memories of one clock domain, 64
// independent copies ("lanes") at once, one bit of a 64-bit word each.
//
// Two ways to settle. Without delays every cell is evaluated once, in topological order. With
// lumped delays (a LUT 1,200 ps, a carry 280 ps, a clock edge to an output 1,400 ps; units of 40 ps)
// cells are evaluated when an input moved, and a pulse shorter than a cell's delay does not pass
// it (inertial delay, as Verilog's `assign #d`): what is left are the glitches.
//
// A toggle is one change of one net in one lane. Bits of words lie least significant first.
#ifndef EK_NETLIST_HPP
#define EK_NETLIST_HPP

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace ek {

constexpr uint32_t kLutDelay = 30, kCarryDelay = 7;  // units of 40 ps
constexpr uint32_t kClockDelay = 35;  // of flip-flops, memories and inputs alike: the time origin
constexpr uint32_t kWheel = 64;       // more than the longest delay of a cell
constexpr uint32_t kLongest = 1u << 20;

struct Cell {
    uint32_t in[4], out, init, delay;
};

struct FlipFlop {
    uint32_t d, q, enable, reset, value;  // reset: to `value`, where enabled
};

struct BlockRam {  // 256 words of 16 bits, narrower on either side by its mode
    uint32_t raddr[11], rdata[16], re, rce, waddr[11], wdata[16], mask[16], we, wce, rmode, wmode;
    uint32_t init[128];
};

struct BigRam {  // SB_SPRAM256KA
    uint32_t address[14], in[16], mask[4], write, select, standby, sleep, power, out[16];
};

struct Counts {
    uint64_t cycles = 0, ram_reads = 0, ram_writes = 0, big_ram = 0;
};

inline uint64_t lookup(uint32_t init, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    uint64_t v[8];
    for (int i = 0; i < 8; i++) {
        const uint64_t low = init >> (2 * i) & 1 ? ~a : 0, high = init >> (2 * i + 1) & 1 ? a : 0;
        v[i] = low | high;
    }
    for (int i = 0; i < 4; i++) v[i] = (v[2 * i] & ~b) | (v[2 * i + 1] & b);
    for (int i = 0; i < 2; i++) v[i] = (v[2 * i] & ~c) | (v[2 * i + 1] & c);
    return (v[0] & ~d) | (v[1] & d);
}

class Netlist {
  public:
    std::vector<uint64_t> value;    // of each net; net 0 is low, net 1 high
    std::vector<uint64_t> toggles;  // of each net, all lanes together
    Counts counts;
    uint64_t lanes = ~uint64_t{0};  // those that count
    bool delays = false;

    // Reads what edgekit/virtual/fpga/netlist.py writes.
    void load(std::FILE *file) {
        uint32_t head[5];
        read(file, head, sizeof head);
        value.assign(head[0], 0);
        value[1] = ~uint64_t{0};
        toggles.assign(head[0], 0);
        fill(file, cells_, head[1]);
        fill(file, flip_flops_, head[2]);
        fill(file, rams_, head[3]);
        fill(file, big_rams_, head[4]);
        prepare();
    }

    // Change an input at the next edge.
    void stage(uint32_t net, uint64_t v) { staged_.push_back({net, v}); }

    // One clock edge, and all that follows until nothing moves.
    void edge() {
        moved_.clear();
        for (size_t i = 0; i < flip_flops_.size(); i++) next_[i] = next(flip_flops_[i]);
        for (size_t i = 0; i < rams_.size(); i++) access(rams_[i], ram_words_[i]);
        for (size_t i = 0; i < big_rams_.size(); i++) access(big_rams_[i], big_words_[i]);
        for (size_t i = 0; i < flip_flops_.size(); i++) change(flip_flops_[i].q, next_[i]);
        for (const Change &c : read_) change(c.net, c.value);
        read_.clear();
        settle();
        counts.cycles++;
    }

    // Let staged inputs, and nothing else, take effect.
    void settle() {
        for (const Change &c : staged_) change(c.net, c.value);
        staged_.clear();
        if (delays)
            settle_with_delays();
        else
            settle_at_once();
        moved_.clear();
    }

  private:
    struct Change {
        uint32_t net;
        uint64_t value;
    };

    std::vector<Cell> cells_;  // in topological order
    std::vector<FlipFlop> flip_flops_;
    std::vector<BlockRam> rams_;
    std::vector<BigRam> big_rams_;
    std::vector<std::vector<uint64_t>> ram_words_, big_words_;
    std::vector<uint64_t> next_;
    std::vector<Change> staged_, read_;
    std::vector<uint32_t> moved_;  // nets that changed
    std::vector<uint32_t> first_, readers_;
    std::vector<uint64_t> planned_;  // of each cell's output, once all that is pending has happened
    std::vector<std::vector<uint64_t>> pending_;  // of each cell: which lanes will flip, in order of time
    std::vector<uint32_t> stamp_;
    std::array<std::vector<uint32_t>, kWheel> wheel_;
    std::vector<uint32_t> dirty_;
    uint32_t clock_ = 0;

    static void read(std::FILE *file, void *to, size_t bytes) {
        if (bytes != 0 && std::fread(to, 1, bytes, file) != bytes) {
            std::fputs("the netlist ends early\n", stderr);
            std::exit(2);
        }
    }

    template <typename T>
    static void fill(std::FILE *file, std::vector<T> &to, uint32_t count) {
        to.resize(count);
        read(file, to.data(), count * sizeof(T));
    }

    void prepare() {
        next_.resize(flip_flops_.size());
        first_.assign(value.size() + 1, 0);
        for (const Cell &c : cells_)
            for (uint32_t net : c.in) first_[net + 1]++;
        for (size_t i = 1; i < first_.size(); i++) first_[i] += first_[i - 1];
        readers_.resize(cells_.size() * 4);
        std::vector<uint32_t> at(first_.begin(), first_.end() - 1);
        for (uint32_t i = 0; i < cells_.size(); i++)
            for (uint32_t net : cells_[i].in) readers_[at[net]++] = i;
        pending_.resize(cells_.size());
        stamp_.assign(cells_.size(), 0);
        for (const BlockRam &ram : rams_) {
            std::vector<uint64_t> words(4096);
            for (size_t b = 0; b < words.size(); b++)
                words[b] = ram.init[b / 32] >> (b % 32) & 1 ? ~uint64_t{0} : 0;
            ram_words_.push_back(words);
        }
        // No initial contents: noise, the same in every run and lane.
        for (size_t i = 0; i < big_rams_.size(); i++) {
            std::vector<uint64_t> words(16384 * 16);
            for (size_t b = 0; b < words.size(); b++)
                words[b] = b * 2654435761u >> 13 & 1 ? ~uint64_t{0} : 0;
            big_words_.push_back(words);
        }
        const std::vector<uint64_t> before = toggles;
        settle_at_once();
        toggles = before;
        planned_.resize(cells_.size());
        for (size_t i = 0; i < cells_.size(); i++) planned_[i] = value[cells_[i].out];
    }

    void change(uint32_t net, uint64_t v) {
        const uint64_t different = value[net] ^ v;
        if (different == 0) return;
        value[net] = v;
        toggles[net] += static_cast<uint64_t>(__builtin_popcountll(different & lanes));
        moved_.push_back(net);
    }

    uint64_t evaluate(const Cell &c) const {
        return lookup(c.init, value[c.in[0]], value[c.in[1]], value[c.in[2]], value[c.in[3]]);
    }

    void settle_at_once() {
        for (const Cell &c : cells_) change(c.out, evaluate(c));
    }

    void settle_with_delays() {
        uint32_t waiting = 0;
        for (uint32_t time = 0;; time++) {
            std::vector<uint32_t> &slot = wheel_[time % kWheel];
            for (uint32_t i : slot) {
                waiting--;
                std::vector<uint64_t> &events = pending_[i];
                const uint32_t out = cells_[i].out;
                change(out, value[out] ^ events.front());
                events.erase(events.begin());
            }
            slot.clear();
            clock_++;
            dirty_.clear();
            for (uint32_t net : moved_)
                for (uint32_t at = first_[net]; at < first_[net + 1]; at++)
                    if (stamp_[readers_[at]] != clock_) {
                        stamp_[readers_[at]] = clock_;
                        dirty_.push_back(readers_[at]);
                    }
            moved_.clear();
            for (uint32_t i : dirty_) waiting += plan(i, time);
            if (waiting == 0) return;
            if (time > kLongest) {
                std::fputs("the netlist never settles\n", stderr);
                std::exit(4);
            }
        }
    }

    // A new value of a cell's output cancels what was planned for the lanes that differ from it.
    uint32_t plan(uint32_t i, uint32_t time) {
        const Cell &c = cells_[i];
        const uint64_t v = evaluate(c), different = v ^ planned_[i];
        if (different == 0) return 0;
        planned_[i] = v;
        for (uint64_t &flips : pending_[i]) flips &= ~different;
        const uint64_t mask = different & (v ^ value[c.out]);
        if (mask == 0) return 0;
        pending_[i].push_back(mask);
        wheel_[(time + c.delay) % kWheel].push_back(i);
        return 1;
    }

    uint64_t next(const FlipFlop &f) const {
        const uint64_t taken = (value[f.d] & ~value[f.reset]) | (f.value ? value[f.reset] : 0);
        return (taken & value[f.enable]) | (value[f.q] & ~value[f.enable]);
    }

    // The lanes whose address is the same as that of the lowest lane left, and that address.
    template <size_t N>
    uint64_t alike(const uint32_t (&nets)[N], uint64_t left, uint32_t &address) const {
        const int lane = __builtin_ctzll(left);
        address = 0;
        for (size_t b = 0; b < N; b++) {
            const uint64_t bits = value[nets[b]];
            const bool set = bits >> lane & 1;
            address |= uint32_t{set} << b;
            left &= set ? bits : ~bits;
        }
        return left;
    }

    static uint32_t pin(uint32_t bit, uint32_t mode) {
        return (bit & ~((1u << mode) - 1)) + (mode == 2 ? 1 : mode == 3 ? 3 : 0);
    }

    void access(const BlockRam &ram, std::vector<uint64_t> &words) {
        const uint64_t reading = value[ram.re] & value[ram.rce];
        std::array<uint64_t, 16> out{};
        for (uint32_t b = 0; b < 16; b++) out[b] = value[ram.rdata[b]] & ~reading;
        uint32_t address = 0;
        for (uint64_t left = reading, some; left != 0; left &= ~some) {
            some = alike(ram.raddr, left, address);
            const uint32_t column = address >> 8 & ((1u << ram.rmode) - 1);
            for (uint32_t b = 0; b < 16; b++)
                if ((b & ((1u << ram.rmode) - 1)) == column)
                    out[pin(b, ram.rmode)] |= words[(address & 255) * 16 + b] & some;
        }
        for (uint32_t b = 0; b < 16; b++) read_.push_back({ram.rdata[b], out[b]});
        const uint64_t writing = value[ram.we] & value[ram.wce];
        for (uint64_t left = writing, some; left != 0; left &= ~some) {
            some = alike(ram.waddr, left, address);
            const uint32_t column = address >> 8 & ((1u << ram.wmode) - 1);
            for (uint32_t b = 0; b < 16; b++) {
                if ((b & ((1u << ram.wmode) - 1)) != column) continue;
                const uint64_t keep = ram.wmode == 0 ? value[ram.mask[b]] : 0;
                put(words[(address & 255) * 16 + b], value[ram.wdata[pin(b, ram.wmode)]],
                    some & ~keep);
            }
        }
        counts.ram_reads += static_cast<uint64_t>(__builtin_popcountll(reading & lanes));
        counts.ram_writes += static_cast<uint64_t>(__builtin_popcountll(writing & lanes));
    }

    void access(const BigRam &ram, std::vector<uint64_t> &words) {
        const uint64_t on = value[ram.select] & value[ram.power] & ~value[ram.sleep] &
                            ~value[ram.standby];
        const uint64_t writing = on & value[ram.write], reading = on & ~writing;
        std::array<uint64_t, 16> out{};
        for (uint32_t b = 0; b < 16; b++) out[b] = value[ram.out[b]] & ~reading;
        uint32_t address = 0;
        for (uint64_t left = on, some; left != 0; left &= ~some) {
            some = alike(ram.address, left, address);
            uint64_t *word = &words[size_t{address} * 16];
            for (uint32_t b = 0; b < 16; b++) {
                out[b] |= word[b] & some & reading;
                put(word[b], value[ram.in[b]], some & writing & value[ram.mask[b / 4]]);
            }
        }
        for (uint32_t b = 0; b < 16; b++) read_.push_back({ram.out[b], out[b]});
        counts.big_ram += static_cast<uint64_t>(__builtin_popcountll(on & lanes));
    }

    static void put(uint64_t &word, uint64_t v, uint64_t where) {
        word = (word & ~where) | (v & where);
    }
};

}  // namespace ek
#endif
