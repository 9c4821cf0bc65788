/* A bare Cortex-M or RV32 core in QEMU: reset, memories, and semihosting for text and exit status.
 * On a board, its own startup code and serial port take the place of this file. */
#include "platform.h"

#include <stddef.h>
#include <stdint.h>

#define SYS_WRITE0 4
#define SYS_EXIT_EXTENDED 0x20
#define APPLICATION_EXIT 0x20026U

/* Placed by memory.ld. */
extern uint32_t data_load[];
extern uint32_t data_start[];
extern uint32_t data_end[];
extern uint32_t bss_start[];
extern uint32_t bss_end[];
extern uint32_t stack_top[];

int main(void);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
void start(void);
void fault(void);

/* Compilers may call these two by themselves. */
void *memcpy(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

void *memset(void *to, int value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)to)[i] = (uint8_t)value;
    }
    return to;
}

static void semihosting(uint32_t operation, const void *argument)
{
#if defined(__riscv)
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".option push\n"
                     ".option norvc\n"
                     ".balign 16\n"
                     "slli zero, zero, 0x1f\n"
                     "ebreak\n"
                     "srai zero, zero, 7\n"
                     ".option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
#else
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
#endif
}

void platform_print(const char *text)
{
    semihosting(SYS_WRITE0, text);
}

static void leave(uint32_t status)
{
    const uint32_t block[2] = {APPLICATION_EXIT, status};

    for (;;) {
        semihosting(SYS_EXIT_EXTENDED, block);
    }
}

void fault(void)
{
    platform_print("FAIL: the core took a fault\n");
    leave(2);
}

void start(void)
{
    const uint32_t *from = data_load;

#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    /* Coprocessors 10 and 11 on. */
    *(volatile uint32_t *)0xE000ED88U |= 0xFU << 20;
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
    for (uint32_t *to = data_start; to != data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = bss_start; to != bss_end; to++) {
        *to = 0U;
    }
    leave((uint32_t)main());
}

#if defined(__riscv)
__asm__(".section .vectors, \"ax\"\n"
        ".globl reset\n"
        "reset:\n"
        "la sp, stack_top\n"
        "la t0, fault\n"
        ".insn i 0x73, 1, zero, t0, 0x305\n" /* csrw mtvec, t0, without asking for Zicsr */
        "j start\n"
        ".text");
#else
__asm__(".section .vectors, \"a\"\n"
        ".word stack_top\n"
        ".word reset\n"
        ".rept 14\n"
        ".word fault\n"
        ".endr\n"
        ".text\n"
        ".globl reset\n"
        ".thumb_func\n"
        "reset:\n"
        "bl start");
#endif
