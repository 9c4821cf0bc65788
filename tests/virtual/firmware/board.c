/* Drives the twin's registers one by one; the host picks an action by one byte:
 * 'E' n bytes: echo them · 'S' ticks16: sleep in Stop 2, answer time · 'M': run the model, answer
 * DWT cycles · 'R': n timed runs · 'F': read an address that does not exist · 'Z': reset ·
 * 'I': identity word · 'U': read a register that is not modelled · 'L' count32: spin loop */
#include <stdint.h>

#define REG(a) (*(volatile uint32_t *)(a))
#define RCC(o) REG(0x40021000u + (o))
#define LPUART(o) REG(0x40008000u + (o))
#define LPTIM(o) REG(0x40007C00u + (o))
#define CYCCNT REG(0xE0001004u)

void Reset_Handler(void);
void model_run(void);
void spin(uint32_t n);
extern volatile int32_t result;

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[2] = {
    0x20010000u, (uintptr_t)Reset_Handler};

static uint32_t get(void)
{
    while ((LPUART(0x1C) & (1u << 5)) == 0) {
    }
    return LPUART(0x24) & 0xFFu;
}

static void put(uint32_t byte)
{
    while ((LPUART(0x1C) & (1u << 7)) == 0) {
    }
    LPUART(0x28) = byte;
}

static uint32_t get32(void)
{
    uint32_t a = get(), b = get(), c = get(), d = get();
    return a | b << 8 | c << 16 | d << 24;
}

static void put32(uint32_t v)
{
    put(v & 0xFFu);
    put(v >> 8 & 0xFFu);
    put(v >> 16 & 0xFFu);
    put(v >> 24);
}

static void clocks(void)
{
    REG(0x40022000u) = 0x705u;              /* 5 wait states, prefetch, caches */
    RCC(0x58) |= 1u << 28 | 1u << 31;       /* PWR, LPTIM1 */
    RCC(0x5C) |= 1u;                        /* LPUART1 */
    RCC(0x4C) |= 1u << 5 | 1u << 6;         /* GPIOF, GPIOG */
    REG(0x40007000u) |= 1u << 8;            /* DBP */
    REG(0x40007004u) |= 1u << 9;            /* IOSV */
    REG(0x40007080u) &= ~(1u << 8);         /* boost */
    RCC(0x90) |= 1u;                        /* LSE */
    while ((RCC(0x90) & 2u) == 0) {
    }
    RCC(0x0C) = 1u | 60u << 8 | 1u << 24;   /* MSI 4 MHz * 60 / 2 */
    RCC(0x00) |= 1u << 24;
    while ((RCC(0x00) & 1u << 25) == 0) {
    }
    RCC(0x08) = (RCC(0x08) & ~3u) | 3u;
    while ((RCC(0x08) & 0xCu) != 0xCu) {
    }
}

static void start(void)
{
    clocks();
    RCC(0x88) |= 3u << 18;                                                       /* LPTIM1: LSE */
    REG(0x48001400u) = (REG(0x48001400u) & ~(3u << 26)) | 1u << 26;              /* PF13 output */
    REG(0x48001800u) = (REG(0x48001800u) & ~(15u << 14)) | 2u << 14 | 2u << 16;  /* PG7, PG8 */
    REG(0x48001820u) |= 8u << 28;
    REG(0x48001824u) |= 8u;
    LPUART(0x0C) = (uint32_t)(256ull * 120000000u / 115200u);
    LPUART(0x00) = 1u | 1u << 2 | 1u << 3;
    REG(0xE000EDFCu) |= 1u << 24;
    REG(0xE0001000u) |= 1u;
    REG(0xE000E108u) = 1u << 1; /* IRQ 65, LPTIM1 */
}

static void resume(void)
{
    RCC(0x00) |= 1u << 24;
    while ((RCC(0x00) & 1u << 25) == 0) {
    }
    RCC(0x08) = (RCC(0x08) & ~3u) | 3u;
}

static void sleep_ticks(uint32_t ticks)
{
    LPTIM(0x10) = 0;
    LPTIM(0x08) = 2; /* ARRM */
    LPTIM(0x10) = 1;
    LPTIM(0x18) = ticks;
    LPTIM(0x10) = 3; /* single shot */
    REG(0xE000E288u) = 1u << 1;
    REG(0xE000ED10u) = 4; /* SLEEPDEEP */
    __asm__ volatile("dsb\n wfi" ::: "memory");
    REG(0xE000ED10u) = 0;
    LPTIM(0x04) = 2;
    resume();
}

static uint32_t infer(void)
{
    uint32_t t0, t1;
    REG(0x48001418u) = 1u << 13;
    t0 = CYCCNT;
    model_run();
    t1 = CYCCNT;
    REG(0x48001418u) = 1u << 29;
    return t1 - t0;
}

static void serve(uint32_t action)
{
    if (action == 'E') {
        uint32_t n = get();
        for (uint32_t i = 0; i < n; i++) {
            put(get());
        }
    } else if (action == 'S') {
        uint32_t low = get();
        sleep_ticks(low | get() << 8);
        put('s');
    } else if (action == 'M') {
        put32(infer());
        put32((uint32_t)result);
    } else if (action == 'R') {
        uint32_t n = get();
        for (uint32_t i = 0; i < n; i++) {
            (void)infer();
            sleep_ticks(3277);
        }
        put('r');
    } else if (action == 'F') {
        put(REG(0x30000000u));
    } else if (action == 'U') {
        put32(REG(0x40013800u)); /* USART1 */
    } else if (action == 'Z') {
        REG(0xE000ED0Cu) = 0x05FA0004u;
        for (;;) {
        }
    } else if (action == 'I') {
        put32(REG(0xE0042000u));
    } else if (action == 'L') {
        spin(get32());
        put('l');
    }
}

void Reset_Handler(void)
{
    __asm__ volatile("cpsid i");
    start();
    put('!');
    for (;;) {
        serve(get());
    }
}
