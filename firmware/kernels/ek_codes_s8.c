/* Convolution and fully connected layer with weights of 1, 2 or 4 bits: see ek_codes.h. */
#include "ek_code_pairs.h"
#include "ek_code_requant.h"

void ek_codes_s8(const ek_codes_s8_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    ek_code_requant(p, scratch, x, y);
}
