/* Computes the features of clips that the emulator's loader placed at BASE, counts each clip's
 * instructions, and has the emulator write both to a file. Built by mfcc_image.py. */
#include <stdint.h>

#include "ek_mfcc.h"

#define OPEN 0x01u /* semihosting operations */
#define WRITE 0x05u
#define EXIT 0x18u
#define MODE_WB 5u
#define STOPPED 0x20026u /* the application ended */

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define SYST_MASK 0xFFFFFFu
#define CPACR (*(volatile uint32_t *)0xE000ED88u)

static uint32_t semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* In memory: the number of clips; a tick count for each; their samples; then their features. */
static void run(void)
{
    static const char name[] = "out.bin";
    static int32_t scratch[512 + 64];
    const ek_mfcc_params *p = &PARAMS;
    uint32_t *head = (uint32_t *)BASE;
    const uint32_t clips = head[0];
    const uint32_t samples = (uint32_t)(p->hop * (p->frames - 1) + p->window);
    const uint32_t size = (uint32_t)(p->frames * p->coefficients);
    int16_t *sound = (int16_t *)(head + 1 + clips);
    int8_t *features = (int8_t *)(sound + clips * samples);
    SYST_RVR = SYST_MASK;
    SYST_CSR = 5u; /* the core's clock, no interrupt */
    for (uint32_t i = 0; i < clips; i++) {
        head[1 + i] = 0;
        for (int32_t frame = 0; frame < p->frames; frame++) { /* the timer has only 24 bits */
            SYST_CVR = 0;
            const uint32_t before = SYST_CVR;
            ek_mfcc_frame(p, scratch, sound, features);
            head[1 + i] += (before - SYST_CVR) & SYST_MASK;
            sound += p->hop;
            features += p->coefficients;
        }
        sound += p->window - p->hop;
    }
    const uint32_t opening[3] = {(uint32_t)name, MODE_WB, sizeof name - 1};
    const uint32_t file = semihost(OPEN, opening);
    const uint32_t ticks[3] = {file, (uint32_t)(head + 1), 4 * clips};
    const uint32_t found[3] = {file, (uint32_t)features - clips * size, clips * size};
    (void)semihost(WRITE, ticks);
    (void)semihost(WRITE, found);
    (void)semihost(EXIT, (const void *)STOPPED);
}

extern uint32_t stack_top[];

void Reset_Handler(void)
{
    CPACR |= 0xFu << 20; /* FPU */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    run();
    for (;;) {
    }
}

typedef union {
    uint32_t *stack;
    void (*code)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = stack_top},
    {.code = Reset_Handler},
};
