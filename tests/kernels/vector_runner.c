/* Runs cases that the emulator's loader placed in memory, then has it write that memory to a file:
 * kernels for instructions that the host lacks. Built by vector_image.py, which gives BASE. */
#include <stdint.h>

#include "edgekit.h"

#define OPEN 0x01u /* semihosting operations */
#define WRITE 0x05u
#define EXIT 0x18u
#define MODE_WB 5u
#define STOPPED 0x20026u /* the application ended */

/* Addresses as numbers: the loader's side is 64 bits wide. */
typedef struct {
    uint32_t kernel;
    uint32_t arguments[4];
} vector_case;

typedef struct {
    uint32_t bytes; /* of everything, from BASE on */
    uint32_t cases;
    vector_case list[];
} vector_batch;

typedef void (*vector_kernel)(uint32_t a, uint32_t b, uint32_t c, uint32_t d);

static const vector_kernel kernels[] = {KERNELS};

static uint32_t semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void run_all(void)
{
    static const char name[] = "out.bin";
    const vector_batch *batch = (const vector_batch *)BASE;
    for (uint32_t i = 0; i < batch->cases; i++) {
        const vector_case *c = &batch->list[i];
        kernels[c->kernel](c->arguments[0], c->arguments[1], c->arguments[2], c->arguments[3]);
    }
    const uint32_t opening[3] = {(uint32_t)name, MODE_WB, sizeof name - 1};
    const uint32_t writing[3] = {semihost(OPEN, opening), BASE, batch->bytes};
    (void)semihost(WRITE, writing);
    (void)semihost(EXIT, (const void *)STOPPED);
}

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CCR (*(volatile uint32_t *)0xE000ED14u)

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
