/* Look-up tables over bits, and counts of bits; part of edgekit.h. Bits lie in words as
 * ek_bin_params.h says. */
#ifndef EK_BIT_TABLES_H
#define EK_BIT_TABLES_H

/* Output bit m is bit t of table m; bit j of t is the input bit that connection j of m names.
 * Tables: per output, 2^inputs bits in whole bytes, the first in the lowest bit.
 * Scratch: a byte for each input bit. */
typedef struct {
    int32_t in_n; /* a multiple of 32 */
    int32_t out_n;
    int32_t inputs;          /* of a table, 1..6 */
    int32_t is_short;        /* connections are of int16_t; 0: of bytes */
    const void *connections; /* [out_n][inputs] */
    const int8_t *tables;
} ek_lut_layer_params;

void ek_lut_layer(const ek_lut_layer_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* int16 outputs: how many bits are set in each run of `run` bits. */
typedef struct {
    int32_t groups;
    int32_t run;
} ek_group_count_params;

void ek_group_count(const ek_group_count_params *p, const int8_t *x, int8_t *y);

#endif
