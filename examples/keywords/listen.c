/* From a second of sound to a digit: the front end, then the network, then the highest score. */
#include "digit.h" /* edgekit package int4.safetensors --prefix digit ... */
#include "ek_mfcc.h"

/* `samples`: 7,936 of 8 kHz. Returns 0 to 9, of equal scores the lowest. */
int32_t digit_of(const int16_t *samples)
{
    static int32_t scratch[256 + 26];
    ek_mfcc(&ek_mfcc_8k, scratch, samples, digit_input());
    digit_run();
    const int8_t *scores = digit_output();
    int32_t best = 0;
    for (int32_t i = 1; i < DIGIT_OUTPUT_BYTES; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}
