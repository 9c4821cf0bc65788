// Matrix-vector-threshold unit: PE neurons at a time, SIMD inputs a clock, from streams.
//
// The input stream holds the vector once for each group of PE neurons (ek_sliding_window repeats it),
// the weight stream one word for each input word: weight s of neuron p in bits
// [(p * SIMD + s) * WEIGHT_BITS +: WEIGHT_BITS]. After FOLDS input words a group is done; the constant
// stream holds, for each group, where its PE sums of ACC_BITS start: bias, or bias less threshold.
// SIGN 1: the output is one bit a neuron, 1 where the sum is at least 0. SIGN 0: the sums themselves.
// DEPTHWISE 1: neuron p has input p alone (SIMD is 1, an input word holds PE inputs).
// LISTS 1: as DEPTHWISE, and a group ends with the word whose in_last is set (ek_gather).
//
// Numbers: bits of 1 are -1 or +1 (1 is +1), others signed. WEIGHT_BITS 1 and INPUT_BITS 1 count
// equal bits (XNOR and popcount): the sum rises by the count, with DOUBLE by twice the count, which is
// the sum of products plus SIMD; a padded word (in_pad) then counts as SIMD, that is as products of 0.
// For other numbers a padded word is what in_data says.
//
// Timing: products in the clock of the input word, sums the clock after, the result the clock after
// that. Stops only where a new result meets one that is still waiting.
// Cost: 1 bit x 1 bit about PE * (2.8 * SIMD + 3 * ACC_BITS) LUT4.
`default_nettype none

module ek_mvtu #(
    parameter PE = 1,
    parameter SIMD = 8,
    parameter WEIGHT_BITS = 1,
    parameter INPUT_BITS = 1,
    parameter ACC_BITS = 12,
    parameter FOLDS = 4,
    parameter DOUBLE = 0,
    parameter SIGN = 1,
    parameter DEPTHWISE = 0,
    parameter LISTS = 0,
    parameter IN_WIDTH = (DEPTHWISE != 0 ? PE : SIMD) * INPUT_BITS,
    parameter OUT_WIDTH = PE * (SIGN != 0 ? 1 : ACC_BITS)
) (
    input  wire                           clk,
    input  wire                           rst,
    input  wire                           in_valid,
    output wire                           in_ready,
    input  wire [           IN_WIDTH-1:0] in_data,
    input  wire                           in_pad,
    input  wire                           in_last,
    input  wire                           weight_valid,
    output wire                           weight_ready,
    input  wire [PE*SIMD*WEIGHT_BITS-1:0] weight_data,
    input  wire                           start_valid,
    output wire                           start_ready,
    input  wire [        PE*ACC_BITS-1:0] start_data,
    output reg                            out_valid,
    input  wire                           out_ready,
    output wire [          OUT_WIDTH-1:0] out_data
);
    localparam FOLD_BITS = FOLDS > 1 ? $clog2(FOLDS) : 1;
    localparam [31:0] FOLD_LAST = FOLDS - 1;

    reg [FOLD_BITS-1:0] fold;
    reg valid, first, last;
    wire last_in = LISTS != 0 ? in_last : fold == FOLD_LAST[FOLD_BITS-1:0];
    wire hold = valid & ((last & out_valid & ~out_ready) | (first & ~start_valid));
    wire take = in_valid & in_ready;
    wire add = valid & ~hold;
    assign in_ready = weight_valid & ~hold;
    assign weight_ready = take;
    assign start_ready = add & first;

    always @(posedge clk) begin
        if (~hold) valid <= take;
        if (take) begin
            first <= fold == {FOLD_BITS{1'b0}};
            last  <= last_in;
            if (last_in) fold <= {FOLD_BITS{1'b0}};
            else if (LISTS == 0 || fold == {FOLD_BITS{1'b0}}) fold <= fold + 1'b1;
        end
        if (add & last) out_valid <= 1'b1;
        else if (out_ready) out_valid <= 1'b0;
        if (rst) begin
            valid <= 1'b0;
            fold <= {FOLD_BITS{1'b0}};
            out_valid <= 1'b0;
        end
    end

    genvar p;
    generate
        for (p = 0; p < PE; p = p + 1) begin : g_neuron
            wire [ACC_BITS-1:0] product;
            ek_dot #(
                .SIMD(SIMD),
                .WEIGHT_BITS(WEIGHT_BITS),
                .INPUT_BITS(INPUT_BITS),
                .ACC_BITS(ACC_BITS),
                .DOUBLE(DOUBLE)
            ) dot (
                .weights(weight_data[p*SIMD*WEIGHT_BITS+:SIMD*WEIGHT_BITS]),
                .inputs (in_data[(DEPTHWISE!=0?p : 0)*INPUT_BITS+:SIMD*INPUT_BITS]),
                .pad    (in_pad),
                .sum    (product)
            );
            reg [ACC_BITS-1:0] term, acc;
            wire [ACC_BITS-1:0] sum = (first ? start_data[p*ACC_BITS+:ACC_BITS] : acc) + term;
            always @(posedge clk) begin
                if (take) term <= product;
                if (add) acc <= sum;
            end
            if (SIGN != 0) begin : g_sign
                reg bit_out;
                always @(posedge clk) if (add & last) bit_out <= ~sum[ACC_BITS-1];
                assign out_data[p] = bit_out;
            end else begin : g_sum
                reg [ACC_BITS-1:0] sum_out;
                always @(posedge clk) if (add & last) sum_out <= sum;
                assign out_data[p*ACC_BITS+:ACC_BITS] = sum_out;
            end
        end
    endgenerate
endmodule

`default_nettype wire
