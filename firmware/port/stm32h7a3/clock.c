/* RM0455 "Clocks", "Voltage scaling" and "FLASH read latency".
 *
 * | EK_CLOCK_HZ | source                  | core voltage | APB    | flash wait states |
 * |-------------|-------------------------|--------------|--------|-------------------|
 * | 280 MHz     | HSI 64 MHz / 16 * 70    | VOS0         | / 2    | 6                 |
 * | 64 MHz      | HSI                     | VOS3         | / 2    | 2 (<= 66 MHz)     |
 *
 * The SMPS supplies the core directly, as the board is wired. HSI feeds USART3 too, so the baud
 * rate is the same at every operating point. */
#include "chip.h"
#include "registers.h"

#if EK_CLOCK_HZ == 280000000
#define USE_PLL 1
#define WAIT_STATES 6u
#define PROGRAM_DELAY 3u
#elif EK_CLOCK_HZ == 64000000
#define USE_PLL 0
#define WAIT_STATES 2u
#define PROGRAM_DELAY 2u
#else
#error "EK_CLOCK_HZ has no row in the table above"
#endif

/* What the caches hold after a reset is not defined: each line is marked invalid first. */
static void start_caches(void)
{
    uint32_t size, ways, way_shift;

    __asm volatile("dsb\n isb" ::: "memory");
    SCB_ICIALLU = 0;
    SCB_CSSELR = 0;
    __asm volatile("dsb" ::: "memory");
    size = SCB_CCSIDR;
    ways = (size >> 3) & 0x3FFu;
    way_shift = (uint32_t)__builtin_clz(ways);
    for (uint32_t set = 0; set <= ((size >> 13) & 0x7FFFu); set++) {
        for (uint32_t way = 0; way <= ways; way++) {
            SCB_DCISW = (way << way_shift) | (set << 5); /* lines of 32 bytes */
        }
    }
    __asm volatile("dsb\n isb" ::: "memory");
    SCB_CCR |= SCB_CCR_IC | SCB_CCR_DC;
    __asm volatile("dsb\n isb" ::: "memory");
}

#if USE_PLL
/* A Stop mode turns the PLL off and falls back to VOS3. */
static void speed_up(void)
{
    PWR_SRDCR = PWR_SRDCR_VOS0;
    while ((PWR_SRDCR & PWR_SRDCR_VOSRDY) == 0) {
    }
    RCC_CR |= RCC_CR_PLL1ON;
    while ((RCC_CR & RCC_CR_PLL1RDY) == 0) {
    }
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW_MASK) | RCC_CFGR_SW_PLL1;
    while ((RCC_CFGR & RCC_CFGR_SWS_MASK) != RCC_CFGR_SWS_PLL1) {
    }
}
#endif

uint32_t ek_clock_init(void)
{
    uint32_t changed;

    /* Can be chosen once after power came; until then the core voltage may not be changed. */
    PWR_CR3 = (PWR_CR3 & ~PWR_CR3_SUPPLY_MASK) | PWR_CR3_SMPSEN;
    while ((PWR_CSR1 & PWR_CSR1_ACTVOSRDY) == 0) {
    }
    start_caches();
    changed = DWT_CYCCNT;
    RCC_CDCFGR1 = RCC_CDCFGR1_CDPPRE_DIV2;
    RCC_CDCFGR2 = RCC_CDCFGR2_CDPPRE1_DIV2 | RCC_CDCFGR2_CDPPRE2_DIV2;
    RCC_SRDCFGR = RCC_SRDCFGR_SRDPPRE_DIV2;
    FLASH_ACR = FLASH_ACR_WRHIGHFREQ(PROGRAM_DELAY) | WAIT_STATES;
    while ((FLASH_ACR & FLASH_ACR_LATENCY_MASK) != WAIT_STATES) {
    }
#if USE_PLL
    RCC_PLLCKSELR = 16u << 4; /* PLLSRC: HSI; DIVM1: / 16 */
    RCC_PLLCFGR = RCC_PLLCFGR_PLL1RGE_4_TO_8_MHZ | RCC_PLLCFGR_DIVP1EN;
    RCC_PLL1DIVR = 69u           /* N1: VCO at 280 MHz */
                   | (0u << 9)   /* P1: / 1 */
                   | (1u << 16)  /* Q1, not used */
                   | (1u << 24); /* R1, not used */
    speed_up();
#endif
    return changed;
}

/* "Stop mode": the lowest core voltage that keeps memories, flash powered down. */
void ek_clock_before_stop(void)
{
    PWR_CR1 = (PWR_CR1 & ~PWR_CR1_SVOS_MASK) | PWR_CR1_SVOS5 | PWR_CR1_LPDS | PWR_CR1_FLPS;
    PWR_CPUCR &= ~PWR_CPUCR_PDDS_SRD; /* Stop, not Standby */
}

void ek_clock_after_stop(void)
{
#if USE_PLL
    speed_up();
#endif
}
