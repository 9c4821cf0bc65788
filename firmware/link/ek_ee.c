#include "ek_ee.h"

#include "ek_app.h"
#include "ek_link.h"
#include "ek_port.h"
#include "ek_run.h"
#include "ek_store.h"
#include "model.h"

#define COMMAND_BYTES 80u
#define BUFFER_BYTES 27648u /* 96 x 96 x 3, the runner's largest input */

#ifndef EK_EE_MODEL
#define EK_EE_MODEL MODEL_NAME /* the runner knows kws01 vww01 ad01 ic01 sww01 */
#endif

static char line[COMMAND_BYTES + 1];
static uint32_t fill;
static uint32_t commands;

/* `db`: what `load` announced and what has arrived; the bytes are in the store. */
static uint32_t db_size;
static uint32_t db_fill;

static void print(const char *text)
{
    uint32_t n = 0;

    while (text[n] != 0) {
        n++;
    }
    ek_port_write((const uint8_t *)text, n);
}

/* Decimal without division: Cortex-M has none for 64 bits. With `point`, value is in 10^-9 and
 * three decimals are printed, cut off. */
static void print_u64(uint64_t value, uint32_t point)
{
    static const uint64_t powers[20] = {
        10000000000000000000u, 1000000000000000000u, 100000000000000000u, 10000000000000000u,
        1000000000000000u,     100000000000000u,     10000000000000u,     1000000000000u,
        100000000000u,         10000000000u,         1000000000u,         100000000u,
        10000000u,             1000000u,             100000u,             10000u,
        1000u,                 100u,                 10u,                 1u,
    };
    char text[24];
    uint32_t n = 0;
    uint32_t unit = point ? 10u : 19u; /* power of the last digit in front of the point */

    for (uint32_t i = 0; i < (point ? 14u : 20u); i++) {
        char digit = '0';
        while (value >= powers[i]) {
            value -= powers[i];
            digit++;
        }
        if (n != 0 || digit != '0' || i >= unit) {
            text[n++] = digit;
        }
        if (point && i == unit) {
            text[n++] = '.';
        }
    }
    text[n] = 0;
    print(text);
}

static void print_hex(uint32_t byte)
{
    static const char digits[] = "0123456789abcdef";
    char text[3] = {digits[byte >> 4], digits[byte & 15u], 0};

    print(text);
}

uint32_t ek_ee_commands(void) { return commands; }

void ek_ee_reset(void) { fill = 0; }

#if EK_EE_ENERGY
/* The falling edge is the stamp; low for 100 us, longer than the runner's filter of 50. */
static void timestamp(void)
{
    uint32_t start;

    ek_port_flush();
    ek_port_mark(0);
    start = ek_port_cycles();
    while (ek_port_cycles() - start < ek_port_clock_hz() / 10000u) {
    }
    ek_port_mark(1);
}
#else
static void timestamp(void)
{
    print("m-lap-us-");
    print_u64(ek_port_time_us(), 0);
    print("\r\n");
}
#endif

void ek_ee_banner(void)
{
#if EK_EE_ENERGY
    ek_port_mark(1);
    print("m-timestamp-mode-energy\r\n");
#else
    print("m-timestamp-mode-performance\r\n");
    timestamp();
#endif
    print("m-init-done\r\nm-ready\r\n");
}

/* The next word of a line that is cut in place; "" at its end. */
static char *word(char **rest)
{
    char *p = *rest;
    char *start;

    while (*p == ' ') {
        p++;
    }
    start = p;
    while (*p != 0 && *p != ' ') {
        p++;
    }
    if (*p != 0) {
        *p++ = 0;
    }
    *rest = p;
    return start;
}

static uint32_t same(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* A decimal number, at most 10^9; anything else is 0xFFFFFFFF. */
static uint32_t number(const char *text)
{
    uint32_t value = 0;

    if (*text == 0) {
        return 0xFFFFFFFFu;
    }
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || value > 99999999u) {
            return 0xFFFFFFFFu;
        }
        value = value * 10u + (uint32_t)(*text - '0');
    }
    return value;
}

static uint32_t hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return (uint32_t)(c - 'a') + 10u;
    }
    if (c >= 'A' && c <= 'F') {
        return (uint32_t)(c - 'A') + 10u;
    }
    return 16;
}

static void db_load(const char *size)
{
    uint32_t n = number(size);
    uint32_t room;

    if (*size == 0) {
        print("e-[Command 'db load' requires the # of bytes]\r\n");
        return;
    }
    if (n == 0 || n == 0xFFFFFFFFu) {
        print("e-[Command 'db load' must be >0 bytes]\r\n");
        return;
    }
    (void)ek_store_take(&room); /* an input set that the link stored is gone */
    room = room < BUFFER_BYTES ? room : BUFFER_BYTES;
    db_fill = 0;
    db_size = n <= room ? n : 0; /* too large: nothing is expected, so nothing can be written */
    print(n <= room ? "m-[Expecting " : "Supplied buffer size ");
    print_u64(n, 0);
    if (n > room) {
        print(" exceeds maximum of ");
        print_u64(room, 0);
        print("\r\n");
    } else {
        print(" bytes]\r\n");
    }
}

static void db_print(void)
{
    uint32_t room;
    const uint8_t *buffer = ek_port_store(&room);

    for (uint32_t i = 0; i < db_fill; i++) {
        if (i % 8u == 0) {
            print("m-buffer-");
        }
        print_hex(buffer[i]);
        print((i % 8u == 7u || i + 1 == db_fill) ? "\r\n" : "-");
    }
}

static void db_bytes(const char *hex)
{
    uint32_t room, n = 0;
    uint8_t *buffer = ek_port_store(&room);

    while (hex[n] != 0) {
        if (hex_digit(hex[n]) > 15u) {
            print("e-[Invalid hex digit '");
            ek_port_write((const uint8_t *)hex + n, 1);
            print("']\r\n");
            return;
        }
        n++;
    }
    if (n % 2u != 0) {
        print("e-[Insufficent number of hex digits]\r\n");
        return;
    }
    if (db_size == 0) {
        print("e-[Command 'db' requires 'db load' first]\r\n");
        return;
    }
    for (uint32_t i = 0; i < n && db_fill < db_size; i += 2) {
        buffer[db_fill++] = (uint8_t)(hex_digit(hex[i]) * 16u + hex_digit(hex[i + 1]));
        if (db_fill == db_size) {
            print("m-load-done\r\n");
        }
    }
}

static void db(char *rest)
{
    const char *sub = word(&rest);

    if (*sub == 0) {
        print("e-[Command 'db' requires a subcommand]\r\n");
    } else if (same(sub, "load")) {
        db_load(word(&rest));
    } else if (same(sub, "print")) {
        db_print();
    } else {
        db_bytes(sub);
    }
}

static void results(void)
{
#if defined(MODEL_OUTPUT_INT32)
    const int32_t *y = (const int32_t *)(const void *)model_output();
#elif defined(MODEL_OUTPUT_INT16)
    const int16_t *y = (const int16_t *)(const void *)model_output();
#else
    const int8_t *y = model_output();
#endif

    print("m-results-[");
    for (uint32_t i = 0; i < MODEL_OUTPUT_BYTES / sizeof *y; i++) {
        int32_t q = (int32_t)y[i] - (MODEL_OUTPUT_ZERO_POINT);
        uint64_t size = (uint64_t)(uint32_t)(q < 0 ? -q : q);
        uint64_t nano = size * MODEL_OUTPUT_SCALE_NANO + 500000u; /* half of the last digit */
        if (i != 0) {
            print(",");
        }
        if (q < 0 && nano >= 1000000u) {
            print("-");
        }
        print_u64(nano, 1);
    }
    print("]\r\n");
}

static void load_input(void)
{
    uint32_t room;
    uint8_t *buffer = ek_port_store(&room);

    ek_app_load(buffer);
#if EK_EE_INPUT_U8
    for (uint32_t i = 0; i < MODEL_INPUT_BYTES; i++) {
        model_input()[i] = (int8_t)((int32_t)buffer[i] - 128);
    }
#endif
}

static void repeat(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        load_input();
#if EK_EE_ENERGY
        model_run(); /* the pin is the runner's timestamp */
#else
        (void)ek_app_infer(1);
#endif
    }
}

static void infer(char *rest)
{
    const char *text = word(&rest);
    uint32_t n = *text != 0 ? number(text) : 1u;
    uint32_t warmup;

    text = word(&rest);
    warmup = *text != 0 ? number(text) : 10u;
    if (n == 0 || n == 0xFFFFFFFFu) {
        print("e-[Inference iterations must be >0]\r\n");
    } else if (warmup == 0xFFFFFFFFu) {
        print("e-[Inference warmup must be >=0]\r\n");
    } else if (db_fill != MODEL_INPUT_BYTES) {
        print("e-[The buffer does not hold one input]\r\n");
    } else {
        print("m-warmup-start-");
        print_u64(warmup, 0);
        print("\r\n");
        repeat(warmup);
        print("m-warmup-done\r\nm-infer-start-");
        print_u64(n, 0);
        print("\r\n");
        timestamp();
        repeat(n);
        timestamp();
        print("m-infer-done\r\n");
        results();
    }
}

static void profile(void)
{
    print("m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[" EK_EE_MODEL "]\r\n");
}

static void command(void)
{
    char *rest = line;
    const char *verb = word(&rest);

    if (same(verb, "name")) {
        print("m-name-dut-[edgekit]\r\n");
    } else if (same(verb, "timestamp")) {
        timestamp();
    } else if (same(verb, "profile")) {
        profile();
    } else if (same(verb, "db")) {
        db(rest);
    } else if (same(verb, "infer")) {
        infer(rest);
    } else if (same(verb, "results")) {
        results();
    } else if (same(verb, "help")) {
        print("ULPMark for tinyML Firmware V0.0.1\r\n\r\nhelp name timestamp profile results\r\n"
              "db load N | db HH... | db print\r\ninfer [N=1] [W=10]\r\n");
    } else {
        print("e-[Unknown command: ");
        print(verb);
        print("]\r\n");
    }
    print("m-ready\r\n");
}

void ek_ee_byte(uint8_t byte)
{
    if (byte == '%') {
        line[fill] = 0;
        fill = 0;
        commands++;
        ek_link_close(); /* another host is talking now */
        ek_run_stop();
        command();
    } else if (byte >= ' ' && byte < 127u && fill < COMMAND_BYTES) {
        line[fill++] = (char)byte;
    }
}
