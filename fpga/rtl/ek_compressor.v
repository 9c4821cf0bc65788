// Full adders side by side: three vectors of bits become two, a + b + c = sum + 2 * carry.
//
// Parameters: WIDTH, bits of each vector.
// Timing: combinational. Cost: two look-up tables of 3 inputs a bit.
`default_nettype none

module ek_compressor #(
    parameter WIDTH = 1
) (
    input  wire [WIDTH-1:0] a,
    input  wire [WIDTH-1:0] b,
    input  wire [WIDTH-1:0] c,
    output wire [WIDTH-1:0] sum,
    output wire [WIDTH-1:0] carry
);
    assign sum = a ^ b ^ c;
    assign carry = (a & b) | (a & c) | (b & c);
endmodule

`default_nettype wire
