/* RM0456 "Clocks", "Dynamic voltage scaling management" and "Read access latency".
 *
 * | EK_CLOCK_HZ | source                     | core voltage            | flash wait states |
 * |-------------|----------------------------|-------------------------|-------------------|
 * | 160 MHz     | MSIS 4 MHz / 1 * 80 / 2    | range 1, booster on     | 4 (<= 160 MHz)    |
 * | 48 MHz      | MSIS range 0               | range 3                 | 3 (<= 50 MHz)     |
 * | 24 MHz      | MSIS range 1               | range 4                 | 2 (<= 24 MHz)     |
 *
 * The core is supplied by the SMPS. HSI16 feeds USART1 alone, so the baud rate is the same at every
 * operating point. */
#include "chip.h"
#include "hsi16.h"
#include "registers.h"

#if EK_CLOCK_HZ == 160000000
#define USE_PLL 1
#define WAIT_STATES 4u
#elif EK_CLOCK_HZ == 48000000
#define USE_PLL 0
#define MSI_RANGE 0u
#define WAIT_STATES 3u
#elif EK_CLOCK_HZ == 24000000
#define USE_PLL 0
#define MSI_RANGE 1u
#define WAIT_STATES 2u
#else
#error "EK_CLOCK_HZ has no row in the table above"
#endif

#if USE_PLL
/* The booster's clock is the PLL's source over PLL1MBOOST (here 4 MHz / 1), chosen while it is off;
 * above 55 MHz it has to be ready. A Stop mode turns it off and falls back to range 4. */
static void speed_up(void)
{
    const uint32_t ready = PWR_VOSR_VOSRDY | PWR_VOSR_BOOSTRDY;

    PWR_VOSR = PWR_VOSR_VOS_RANGE1 | PWR_VOSR_BOOSTEN;
    while ((PWR_VOSR & ready) != ready) {
    }
    RCC_CR |= RCC_CR_PLL1ON;
    while ((RCC_CR & RCC_CR_PLL1RDY) == 0) {
    }
    RCC_CFGR1 = (RCC_CFGR1 & ~RCC_CFGR1_SW_MASK) | RCC_CFGR1_SW_PLL;
    while ((RCC_CFGR1 & RCC_CFGR1_SWS_MASK) != RCC_CFGR1_SWS_PLL) {
    }
}
#else
/* The range may only change while MSIS is ready. */
static void set_msi(uint32_t range)
{
    while ((RCC_CR & RCC_CR_MSISRDY) == 0) {
    }
    RCC_ICSCR1 = (RCC_ICSCR1 & ~RCC_ICSCR1_MSISRANGE(15u)) | RCC_ICSCR1_MSISRANGE(range) |
                 RCC_ICSCR1_MSIRGSEL;
    while ((RCC_CR & RCC_CR_MSISRDY) == 0) {
    }
}

static void speed_up(void)
{
#if EK_CLOCK_HZ == 48000000
    PWR_VOSR = PWR_VOSR_VOS_RANGE3;
    while ((PWR_VOSR & PWR_VOSR_VOSRDY) == 0) {
    }
#endif
    set_msi(MSI_RANGE);
}
#endif

uint32_t ek_clock_init(void)
{
    uint32_t changed;

    RCC_AHB3ENR |= RCC_AHB3ENR_PWREN;
    PWR_CR3 |= PWR_CR3_REGSEL_SMPS;
    while ((PWR_SVMSR & PWR_SVMSR_REGS_SMPS) == 0) {
    }
    FLASH_ACR = FLASH_ACR_PRFTEN | WAIT_STATES;
    while ((FLASH_ACR & FLASH_ACR_LATENCY_MASK) != WAIT_STATES) {
    }
    while (ICACHE_SR & ICACHE_SR_BUSYF) { /* it invalidates itself after reset */
    }
    ICACHE_CR |= ICACHE_CR_EN;
    ek_start_hsi16();
    changed = DWT_CYCCNT;
#if USE_PLL
    RCC_PLL1CFGR = RCC_PLL1CFGR_PLL1SRC_MSIS | RCC_PLL1CFGR_PLL1REN; /* PLL1M: / 1, 4 to 8 MHz */
    RCC_PLL1DIVR = 79u                                               /* PLL1N: VCO at 320 MHz */
                   | (1u << 9)                                       /* PLL1P, not used */
                   | (1u << 16)                                      /* PLL1Q, not used */
                   | (1u << 24);                                     /* PLL1R: / 2 */
#endif
    speed_up();
    return changed;
}

/* "Stop 2 mode": the core wakes on MSIS in voltage range 4, so with at most 24 MHz. */
void ek_clock_before_stop(void)
{
#if EK_CLOCK_HZ == 48000000
    set_msi(1u);
#endif
    PWR_CR1 = (PWR_CR1 & ~PWR_CR1_LPMS_MASK) | PWR_CR1_LPMS_STOP2;
}

void ek_clock_after_stop(void)
{
    ek_start_hsi16();
#if EK_CLOCK_HZ != 24000000
    speed_up();
#endif
}
