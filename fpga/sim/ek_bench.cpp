// Drives one ek_core: all inferences from the file of the first argument, all answers to that of
// the second.
//
// In, little-endian: uint32 inferences, in_beats, out_beats, load_words, seed, idle_limit,
// rest_cycles; then load_words * uint16 for the load port; then inferences * in_beats beats of
// EK_IN_BYTES bytes.
// Out: inferences * out_beats beats of EK_OUT_BYTES bytes; then for each inference two uint64: the
// cycle that took its first input beat and the cycle that gave its last output beat.
//
// seed 0: an input beat is always there and every output is taken at once. Else bubbles on the
// input and back-pressure on the output, in stretches from none to all, the same for equal seeds.
// Before the first beat the core is left alone for rest_cycles.
// The rules of a stream are checked on the output in either case.
//
// Exit status 3: no beat moved in idle_limit cycles; 4: a rule of the stream was broken.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ek_dut.hpp"

namespace {

using ek::bit;
using ek::set_bit;

constexpr int kResetCycles = 4;
constexpr uint32_t kAfterCycles = 64;  // after the last answer: nothing more may come
constexpr uint64_t kStretch = 32;      // cycles between two draws of how often a side stalls

struct Header {
    uint32_t inferences, in_beats, out_beats, load_words, seed, idle_limit, rest_cycles;
};

// Marsaglia's xorshift; any seed but 0.
struct Random {
    uint32_t state;
    uint32_t next() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
    }
};

// Says in which cycles one side of a stream is willing.
struct Mood {
    Random random;
    bool stress;
    uint32_t share = 4;  // of 4

    bool willing(uint64_t cycle) {
        if (!stress) return true;
        if (cycle % kStretch == 0) {
            const uint32_t draw = random.next() >> 8;
            share = draw % 8 == 0 ? 0 : draw / 8 % 4 + 1;
        }
        return (random.next() >> 8) % 4 < share;
    }
};

[[noreturn]] void fail(int status, const char *what, uint64_t cycle) {
    std::fprintf(stderr, "%s at cycle %llu\n", what, static_cast<unsigned long long>(cycle));
    std::exit(status);
}

void read_all(void *to, size_t bytes) {
    if (bytes != 0 && std::fread(to, 1, bytes, stdin) != bytes) fail(2, "input ends early", 0);
}

void write_all(const void *from, size_t bytes) {
    if (bytes != 0 && std::fwrite(from, 1, bytes, stdout) != bytes) fail(2, "cannot write", 0);
}

void start(ek::Top &top, const std::vector<uint8_t> &words, uint32_t rest_cycles) {
    set_bit(top.EK_PORT(rst, rst), true);
    set_bit(top.EK_PORT(in_valid, in__valid), false);
    set_bit(top.EK_PORT(out_ready, out__ready), false);
    set_bit(top.EK_PORT(load_valid, load__valid), false);
    for (int i = 0; i < kResetCycles; i++) {
        ek::settle(top);
        ek::edge(top);
    }
    set_bit(top.EK_PORT(rst, rst), false);
    set_bit(top.EK_PORT(load_valid, load__valid), true);
    for (size_t at = 0; at < words.size(); at += 2) {
        ek::put(top.EK_PORT(load_data, load__data), &words[at], 2);
        ek::settle(top);
        ek::edge(top);
    }
    set_bit(top.EK_PORT(load_valid, load__valid), false);
    for (uint32_t i = 0; i < rest_cycles; i++) {
        ek::settle(top);
        ek::edge(top);
    }
}

}  // namespace

int main(int count, char **argv) {
    if (count != 3 || !std::freopen(argv[1], "rb", stdin) || !std::freopen(argv[2], "wb", stdout))
        fail(2, "cannot open its files", 0);
    Header head;
    read_all(&head, sizeof head);
    std::vector<uint8_t> words(size_t{2} * head.load_words);
    std::vector<uint8_t> in(size_t{head.inferences} * head.in_beats * EK_IN_BYTES);
    std::vector<uint8_t> out(size_t{head.inferences} * head.out_beats * EK_OUT_BYTES);
    std::vector<uint64_t> times(size_t{2} * head.inferences);
    read_all(words.data(), words.size());
    read_all(in.data(), in.size());

    static ek::Top top;
    start(top, words, head.rest_cycles);
    const uint64_t in_total = uint64_t{head.inferences} * head.in_beats;
    const uint64_t out_total = uint64_t{head.inferences} * head.out_beats;
    uint64_t sent = 0, got = 0, cycle = 0, moved = 0;
    uint64_t done = 0;  // the cycle of the last answer
    Mood source{{head.seed * 2 + 1}, head.seed != 0}, sink{{~head.seed}, head.seed != 0};
    bool offered = false, held = false;
    uint8_t kept[EK_OUT_BYTES], beat[EK_OUT_BYTES];
    while (got < out_total || cycle < done + kAfterCycles) {
        const bool willing = source.willing(cycle);
        offered = sent < in_total && (offered || willing);
        if (offered) ek::put(top.EK_PORT(in_data, in__data), &in[sent * EK_IN_BYTES], EK_IN_BYTES);
        const bool ready = sink.willing(cycle);
        set_bit(top.EK_PORT(in_valid, in__valid), offered);
        set_bit(top.EK_PORT(out_ready, out__ready), ready);
        ek::settle(top);
        const bool valid = bit(top.EK_PORT(out_valid, out__valid));
        if (held && !valid) fail(4, "out_valid fell before out_ready rose", cycle);
        if (valid) {
            ek::get(top.EK_PORT(out_data, out__data), beat, EK_OUT_BYTES);
            if (held && std::memcmp(beat, kept, EK_OUT_BYTES) != 0)
                fail(4, "out_data changed before out_ready rose", cycle);
            if (got == out_total) fail(4, "more output than the input asks for", cycle);
            std::memcpy(kept, beat, EK_OUT_BYTES);
        }
        held = valid && !ready;
        if (offered && bit(top.EK_PORT(in_ready, in__ready))) {
            if (sent % head.in_beats == 0) times[sent / head.in_beats * 2] = cycle;
            sent++;
            offered = false;
            moved = cycle;
        }
        if (valid && ready) {
            std::memcpy(&out[got * EK_OUT_BYTES], beat, EK_OUT_BYTES);
            if (++got % head.out_beats == 0) times[got / head.out_beats * 2 - 1] = cycle;
            done = moved = cycle;
        }
        ek::edge(top);
        if (++cycle - moved > head.idle_limit && got < out_total) fail(3, "no beat moved", cycle);
    }
    write_all(out.data(), out.size());
    write_all(times.data(), times.size() * sizeof times[0]);
    return 0;
}
