/* Start-up of a program on an emulated core, and a file on the host that it writes by semihosting.
 * Includers define run_all(). */
#ifndef BARE_METAL_H
#define BARE_METAL_H

#include <stdint.h>

#define OPEN 0x01u /* semihosting operations */
#define WRITE 0x05u
#define EXIT 0x18u
#define MODE_WB 5u
#define STOPPED 0x20026u /* the application ended */

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CCR (*(volatile uint32_t *)0xE000ED14u)

static void run_all(void);

static uint32_t semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* Write two areas to out.bin and stop the emulator. */
static void finish(const void *first, uint32_t first_bytes, const void *last, uint32_t last_bytes)
{
    static const char name[] = "out.bin";
    const uint32_t opening[3] = {(uint32_t)name, MODE_WB, sizeof name - 1};
    const uint32_t file = semihost(OPEN, opening);
    const uint32_t one[3] = {file, (uint32_t)first, first_bytes};
    const uint32_t other[3] = {file, (uint32_t)last, last_bytes};
    (void)semihost(WRITE, one);
    (void)semihost(WRITE, other);
    (void)semihost(EXIT, (const void *)STOPPED);
}

extern uint32_t stack_top[];

void Reset_Handler(void)
{
    CPACR |= 0xFu << 20; /* FPU and MVE */
    CCR |= 1u << 19;     /* low-overhead loops */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    run_all();
    for (;;) {
    }
}

typedef union {
    uint32_t *stack;
    void (*code)(void);
} vector;

/* A fault without a handler ends in a lockup, on which the emulator stops. */
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = stack_top},
    {.code = Reset_Handler},
};

#endif
