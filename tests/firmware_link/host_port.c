/* The firmware as a process: standard input and output are the serial port. SIGUSR1 resets the
 * board in mid-flight; RAM outside .bss survives that, as on a board that keeps its supply.
 * Arguments: size of the store in bytes, microseconds that every inference takes longer. */
#define _POSIX_C_SOURCE 200809L

#include "ek_layout.h"
#include "ek_port.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STORE_BYTES 262144u

/* Everything of the port itself lives outside .bss, which a reset clears; so does EK_NOINIT. */
#define KEPT EK_NOINIT
KEPT static jmp_buf start;
KEPT static volatile sig_atomic_t reset_asked = 0;
KEPT static uint32_t boots = 0;
KEPT static uint32_t reason = 0;
KEPT static uint32_t store_bytes = STORE_BYTES;
KEPT static long extra_us = 0;
KEPT static uint8_t store[STORE_BYTES] = {1};
KEPT static uint32_t marks = 0;

extern char __bss_start[], _end[];

static void on_signal(int number)
{
    (void)number;
    reset_asked = 1;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pause_us(uint64_t us)
{
    struct timespec t;

    t.tv_sec = (time_t)(us / 1000000u);
    t.tv_nsec = (long)(us % 1000000u) * 1000;
    nanosleep(&t, 0);
}

static void check_reset(void)
{
    if (reset_asked) {
        reset_asked = 0;
        reason = EK_RESET_PIN;
        longjmp(start, 1);
    }
}

void ek_port_init(void) { boots++; }
void ek_port_start_time(void) {}
uint32_t ek_port_boot_us(void) { return 1000; }

static int ready(int timeout_ms)
{
    struct pollfd p = {0, POLLIN, 0};

    return poll(&p, 1, timeout_ms) > 0;
}

int32_t ek_port_read(void)
{
    uint8_t byte;

    check_reset();
    if (!ready(0)) {
        return -1;
    }
    if (read(0, &byte, 1) != 1) {
        _exit(0); /* the host is gone */
    }
    return byte;
}

void ek_port_write(const uint8_t *data, uint32_t n)
{
    check_reset();
    while (n > 0) {
        ssize_t written = write(1, data, n);
        if (written <= 0) {
            _exit(0);
        }
        data += written;
        n -= (uint32_t)written;
    }
}

void ek_port_flush(void) {}

int32_t ek_port_idle(void)
{
    check_reset();
    return ready(200) ? 0 : 1; /* ten times faster than the two seconds of a board */
}

void ek_port_sleep_until(uint64_t t_us)
{
    uint8_t lost;
    uint64_t now = now_ns() / 1000u;

    if (t_us > now) {
        pause_us(t_us - now);
    }
    while (ready(0) && read(0, &lost, 1) == 1) {
    }
    check_reset();
}

uint32_t ek_port_cycles(void) { return (uint32_t)(now_ns() & 0xFFFFFFFFu); }
uint64_t ek_port_time_us(void) { return now_ns() / 1000u; }

void ek_port_mark(uint32_t on)
{
    marks += on;
    if (on && extra_us != 0) {
        pause_us((uint64_t)extra_us);
    }
    check_reset();
}

uint32_t ek_port_overruns(void) { return 0; }
uint32_t ek_port_kind(void) { return EK_KIND_VIRTUAL; }
uint32_t ek_port_device_id(void) { return marks; }
uint32_t ek_port_clock_hz(void) { return 1000000000u; }
uint32_t ek_port_baud(void) { return 4000000u; }
uint32_t ek_port_boot_count(void) { return boots; }
uint32_t ek_port_reset_reason(void) { return reason; }
void ek_port_uid(uint8_t uid[16]) { memset(uid, 0x55, 16); }
const char *ek_port_board(void) { return "host-process"; }

void ek_port_reset(void)
{
    reason = EK_RESET_SOFTWARE;
    longjmp(start, 1);
}

uint8_t *ek_port_store(uint32_t *bytes)
{
    *bytes = store_bytes;
    return store;
}

int main(int argc, char **argv)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, 0);
    store_bytes = argc > 1 ? (uint32_t)atol(argv[1]) : STORE_BYTES;
    extra_us = argc > 2 ? atol(argv[2]) : 0;
    if (setjmp(start) != 0) {
#if !defined(__SANITIZE_ADDRESS__)
        memset(__bss_start, 0, (size_t)(_end - __bss_start));
#endif
    }
    ek_app_main();
    return 0;
}
