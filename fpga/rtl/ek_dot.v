// The products of SIMD weights and inputs, summed, without a clock.
//
// Bits of 1 are -1 or +1 (1 is +1), others signed. 1 bit x 1 bit: the count of equal bits, by 3:2
// compressors; with DOUBLE twice the count, and SIMD where `pad` is set (products of 0). Otherwise the
// sum of products; `pad` is not looked at.
// Cost: 1 x 1 bit about 2.8 LUT4 an input; 1 x n bit about 2 n; n x m about 1.3 n m.
`default_nettype none

module ek_dot #(
    parameter SIMD = 8,
    parameter WEIGHT_BITS = 1,
    parameter INPUT_BITS = 1,
    parameter ACC_BITS = 12,
    parameter DOUBLE = 0
) (
    input  wire [SIMD*WEIGHT_BITS-1:0] weights,
    input  wire [ SIMD*INPUT_BITS-1:0] inputs,
    input  wire                        pad,
    output wire [        ACC_BITS-1:0] sum
);
    genvar i;
    generate
        if (WEIGHT_BITS == 1 && INPUT_BITS == 1) begin : g_bits
            localparam COUNT_BITS = $clog2(SIMD + 1);
            localparam [31:0] HALF = SIMD;
            wire [COUNT_BITS-1:0] count;
            ek_popcount #(
                .INPUTS(SIMD)
            ) counter (
                .x    (inputs),
                .sign (weights),
                .used ({SIMD{1'b1}}),
                .count(count)
            );
            if (DOUBLE != 0) begin : g_double
                wire [COUNT_BITS:0] term = pad ? HALF[COUNT_BITS:0] : {count, 1'b0};
                assign sum = {{ACC_BITS - COUNT_BITS - 1{1'b0}}, term};
            end else begin : g_single
                assign sum = {{ACC_BITS - COUNT_BITS{1'b0}}, count};
                wire unused = &{1'b0, pad, HALF, 1'b0};
            end
        end else begin : g_numbers
            // As wide as the sum can be, not as the accumulator: that is where the cells go.
            localparam WIDE = WEIGHT_BITS + INPUT_BITS + $clog2(SIMD);
            localparam BITS = WIDE < ACC_BITS ? WIDE : ACC_BITS;
            wire [BITS*SIMD-1:0] products;
            for (i = 0; i < SIMD; i = i + 1) begin : g_product
                wire [BITS-1:0] product;
                wire [WEIGHT_BITS-1:0] w = weights[i*WEIGHT_BITS+:WEIGHT_BITS];
                wire [INPUT_BITS-1:0] x = inputs[i*INPUT_BITS+:INPUT_BITS];
                if (WEIGHT_BITS == 1) begin : g_sign_of_weight
                    wire [BITS-1:0] wide = {{BITS - INPUT_BITS{x[INPUT_BITS-1]}}, x};
                    assign product = w[0] ? wide : -wide;
                end else if (INPUT_BITS == 1) begin : g_sign_of_input
                    wire [BITS-1:0] wide = {{BITS - WEIGHT_BITS{w[WEIGHT_BITS-1]}}, w};
                    assign product = x[0] ? wide : -wide;
                end else begin : g_multiply
                    wire signed [WEIGHT_BITS+INPUT_BITS-1:0] full = $signed(w) * $signed(x);
                    if (BITS > WEIGHT_BITS + INPUT_BITS) begin : g_extend
                        assign product = {
                            {BITS - WEIGHT_BITS - INPUT_BITS{full[WEIGHT_BITS+INPUT_BITS-1]}}, full
                        };
                    end else begin : g_plain
                        assign product = full;
                    end
                end
                assign products[i*BITS+:BITS] = product;
            end
            reg [BITS-1:0] total;
            integer k;
            always @* begin
                total = {BITS{1'b0}};
                for (k = 0; k < SIMD; k = k + 1) total = total + products[k*BITS+:BITS];
            end
            if (ACC_BITS > BITS) begin : g_sum_extend
                assign sum = {{ACC_BITS - BITS{total[BITS-1]}}, total};
            end else begin : g_sum_plain
                assign sum = total;
            end
            wire unused = &{1'b0, pad, DOUBLE != 0, 1'b0};
        end
    endgenerate
endmodule

`default_nettype wire
