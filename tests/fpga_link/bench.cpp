// ek_shell under Verilator behind standard input and output: bytes in go over its serial line bit
// by bit, bytes it sends come out. SIGUSR1 presses its reset.
//
// Arguments: clocks per bit, clock in MHz, 1 to let time pass while nothing happens, and a file for
// a line per change of `mark awake running`, each after the time in nanoseconds.
// A clock that `awake` has stopped does not tick: then only the slow one does.
#include "Vek_shell.h"
#include "verilated.h"

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <poll.h>
#include <unistd.h>

static volatile sig_atomic_t reset_asked = 0;
static void on_signal(int) { reset_asked = 1; }

int main(int argc, char **argv)
{
    const int div = atoi(argv[1]);
    const int mhz = atoi(argv[2]);
    const bool free_running = atoi(argv[3]) != 0;
    FILE *log = argc > 4 ? fopen(argv[4], "w") : nullptr;
    signal(SIGUSR1, on_signal);
    signal(SIGPIPE, SIG_IGN);

    Vek_shell top;
    std::deque<uint8_t> line_in;
    int send_bit = -1, send_left = 0;
    unsigned send_byte = 0;
    int got_bit = -1, got_left = 0;
    unsigned got_byte = 0;
    int last = -1, resetting = 16;
    uint64_t half_slow_ns = 50000, next_slow_ns = half_slow_ns, polled = 0;
    double now_ns = 0.0;

    top.clk = 0;
    top.slow_clk = 0;
    top.rx = 1;
    top.twin = 1;
    for (uint64_t clocks = 0;; clocks++) {
        // Take what the host has sent; wait for it where nothing else can happen.
        bool quiet = send_bit < 0 && line_in.empty() && got_bit < 0 && top.tx && resetting == 0;
        bool stuck = quiet && !top.running && (!top.awake || (top.idle && !free_running));
        if (stuck || clocks - polled >= 64) {
            polled = clocks;
            struct pollfd p = {0, POLLIN, 0};
            uint8_t buffer[4096];
            if (poll(&p, 1, stuck ? 100 : 0) > 0) {
                ssize_t n = read(0, buffer, sizeof buffer);
                if (n <= 0) return 0;
                line_in.insert(line_in.end(), buffer, buffer + n);
            }
        }
        if (reset_asked) {
            reset_asked = 0;
            resetting = 16;
        }
        if (stuck && line_in.empty() && resetting == 0) continue;

        if (!top.awake) now_ns = double(next_slow_ns);
        if (now_ns >= double(next_slow_ns)) {
            top.slow_clk = !top.slow_clk;
            next_slow_ns += half_slow_ns;
            top.eval();
        }
        // The host's end of the line: one step a clock, or a whole bit time while it is stopped.
        if (send_bit < 0 && !line_in.empty()) {
            send_byte = line_in.front() << 1 | 0x200;
            line_in.pop_front();
            send_bit = 0;
            send_left = div;
        }
        if (send_bit >= 0) {
            top.rx = (send_byte >> send_bit) & 1;
            if (--send_left == 0) {
                send_left = div;
                if (++send_bit == 10) send_bit = -1;
            }
        } else {
            top.rx = 1;
        }
        top.rst = resetting > 0;
        if (resetting > 0) resetting--;
        top.eval();
        if (top.awake) {
            top.clk = 1;
            top.eval();
            top.clk = 0;
            top.eval();
            now_ns += 1000.0 / mhz;
            if (got_bit < 0 && !top.tx) {
                got_bit = 0;
                got_left = div + div / 2 - 1;
                got_byte = 0;
            } else if (got_bit >= 0 && --got_left == 0) {
                got_left = div;
                if (got_bit < 8) {
                    got_byte |= unsigned(top.tx) << got_bit;
                    got_bit++;
                } else {
                    uint8_t byte = uint8_t(got_byte);
                    if (write(1, &byte, 1) != 1) return 0;
                    got_bit = -1;
                }
            }
        }
        int state = top.mark << 2 | top.awake << 1 | top.running;
        if (log && state != last) {
            fprintf(log, "%.0f %d %d %d\n", now_ns, top.mark, top.awake, top.running);
            fflush(log);
            last = state;
        }
    }
}
