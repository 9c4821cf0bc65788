/* A stand-in for a generated model: three calls with hand-counted loops, one with data. */
#include <stdint.h>

void model_run(void);
void spin(uint32_t n);
volatile int32_t result;

static const int8_t weights[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static int8_t arena[64];

/* Two instructions an iteration. */
__attribute__((noinline)) void spin(uint32_t n)
{
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(n)::"cc");
}

__attribute__((noinline)) static void fill(void)
{
    for (int32_t i = 0; i < 64; i++) {
        arena[i] = (int8_t)(i - 32);
    }
}

__attribute__((noinline)) static void dot(void)
{
    int32_t acc = 0;
    volatile int8_t deep[200];
    for (int32_t i = 0; i < 200; i++) {
        deep[i] = (int8_t)i;
    }
    for (int32_t i = 0; i < 64; i++) {
        acc += arena[i] * weights[i] + deep[i];
    }
    result = acc;
}

__attribute__((noinline)) void model_run(void)
{
    spin(100000);
    fill();
    dot();
}
