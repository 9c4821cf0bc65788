// Drives the netlist of one ek_core: 64 streams of inferences at once, and counts what switches.
//
// Arguments: the netlist, a file that edgekit/virtual/fpga/netlist.py wrote; a file to read, a file
// to write. Read are, little-endian uint32: inferences a lane, in_beats, out_beats, load_words,
// idle_limit, rest_cycles, delays (0 or 1), lanes in use, in_width, out_width; then the nets of rst,
// in_valid, in_ready, out_valid, out_ready, load_valid, load_data, in_data, out_data; then
// load_words * uint16, padded to 4 bytes; then for each beat one uint64 a bit, lane 0 in bit 0.
// Before the first beat the core is left alone for rest_cycles.
// Written are, uint64: each output beat, one word a bit; for each inference two words, the
// cycle that took its first input beat and the one that gave its last output beat; then what was
// counted while the pipeline was full, from the first answer to the last one before the input
// ended: cycles, inferences, block RAM reads, writes, SPRAM accesses, then the toggles of each net.
//
// All lanes move together. Exit status 3: no beat moved in idle_limit cycles; 4: the netlist never
// settles, or gave more than the input asks for; 6: lanes differ in when they move.
#include "ek_netlist.hpp"

namespace {

constexpr int kResetCycles = 4;

struct Header {
    uint32_t steps, in_beats, out_beats, load_words, idle_limit, rest_cycles, delays, lanes;
    uint32_t in_width, out_width;
};

struct Ports {
    uint32_t rst, in_valid, in_ready, out_valid, out_ready, load_valid;
};

struct Window {
    std::vector<uint64_t> toggles;
    ek::Counts counts;
    uint64_t inferences = 0;
};

[[noreturn]] void fail(int status, const char *what, uint64_t cycle) {
    std::fprintf(stderr, "%s at cycle %llu\n", what, static_cast<unsigned long long>(cycle));
    std::exit(status);
}

template <typename T>
std::vector<T> take(size_t count) {
    std::vector<T> data(count);
    if (count != 0 && std::fread(data.data(), sizeof(T), count, stdin) != count)
        fail(2, "input ends early", 0);
    return data;
}

void give(const std::vector<uint64_t> &data) {
    if (!data.empty() && std::fwrite(data.data(), 8, data.size(), stdout) != data.size())
        fail(2, "cannot write", 0);
}

bool together(const ek::Netlist &net, uint32_t at, uint64_t cycle) {
    const uint64_t v = net.value[at] & net.lanes;
    if (v != 0 && v != net.lanes) fail(6, "the network's timing depends on its data", cycle);
    return v != 0;
}

}  // namespace

int main(int count, char **argv) {
    std::FILE *file = count == 4 ? std::fopen(argv[1], "rb") : nullptr;
    if (!file || !std::freopen(argv[2], "rb", stdin) || !std::freopen(argv[3], "wb", stdout))
        fail(2, "cannot open its files", 0);
    ek::Netlist net;
    net.load(file);
    std::fclose(file);
    const Header head = take<Header>(1)[0];
    const Ports ports = take<Ports>(1)[0];
    const auto load_data = take<uint32_t>(16);
    const auto in_data = take<uint32_t>(head.in_width), out_data = take<uint32_t>(head.out_width);
    const auto words = take<uint16_t>(head.load_words + head.load_words % 2);
    const auto in = take<uint64_t>(size_t{head.steps} * head.in_beats * head.in_width);
    const uint64_t in_total = uint64_t{head.steps} * head.in_beats;
    const uint64_t out_total = uint64_t{head.steps} * head.out_beats;
    std::vector<uint64_t> out(out_total * head.out_width), times(size_t{2} * head.steps);
    constexpr uint64_t kAll = ~uint64_t{0};
    net.lanes = head.lanes >= 64 ? kAll : (uint64_t{1} << head.lanes) - 1;
    net.delays = head.delays != 0;

    net.stage(ports.rst, kAll);
    net.settle();
    for (int i = 0; i < kResetCycles; i++) net.edge();
    net.stage(ports.rst, 0);
    for (size_t i = 0; i < head.load_words; i++) {
        net.stage(ports.load_valid, kAll);
        for (size_t b = 0; b < 16; b++) net.stage(load_data[b], words[i] >> b & 1 ? kAll : 0);
        net.settle();
        net.edge();
    }
    net.stage(ports.load_valid, 0);
    net.stage(ports.out_ready, kAll);
    for (uint32_t i = 0; i < head.rest_cycles; i++) {
        net.settle();
        net.edge();
    }

    uint64_t sent = 0, got = 0, cycle = 0, moved = 0;
    Window first, last;
    const auto offer = [&] {
        net.stage(ports.in_valid, sent < in_total ? kAll : 0);
        for (size_t b = 0; sent < in_total && b < head.in_width; b++)
            net.stage(in_data[b], in[sent * head.in_width + b]);
    };
    offer();
    net.settle();
    while (got < out_total) {
        if (sent < in_total && together(net, ports.in_ready, cycle)) {
            if (sent % head.in_beats == 0) times[sent / head.in_beats * 2] = cycle;
            sent++;
            moved = cycle;
        }
        if (together(net, ports.out_valid, cycle)) {
            for (size_t b = 0; b < head.out_width; b++)
                out[got * head.out_width + b] = net.value[out_data[b]];
            moved = cycle;
            if (++got % head.out_beats == 0) {
                const uint64_t inference = got / head.out_beats;
                times[inference * 2 - 1] = cycle;
                if (inference == 1 || sent < in_total)
                    (inference == 1 ? first : last) = {net.toggles, net.counts, inference};
            }
        }
        offer();
        net.edge();
        if (++cycle - moved > head.idle_limit) fail(3, "no beat moved", cycle);
    }
    if (last.inferences == 0) last = first;  // too short a run to fill the pipeline
    give(out);
    give(times);
    const ek::Counts &a = first.counts, &b = last.counts;
    give({b.cycles - a.cycles, last.inferences - first.inferences, b.ram_reads - a.ram_reads,
          b.ram_writes - a.ram_writes, b.big_ram - a.big_ram});
    for (size_t i = 0; i < last.toggles.size(); i++) last.toggles[i] -= first.toggles[i];
    give(last.toggles);
    return 0;
}
