// Makes a mark long enough for a power meter: `mark` is high while `busy` is, and CLOCKS clocks
// longer. A meter that samples 100,000 times a second sees nothing of one inference in wires.
// The mark's rising edge is not delayed. Cost: about 20 LUT4.
`default_nettype none

module ek_mark #(
    parameter integer CLOCKS = 384
) (
    input  wire clk,
    input  wire rst,
    input  wire busy,
    output wire mark
);
    localparam integer BITS = $clog2(CLOCKS + 1);
    localparam [31:0] CLOCKS_32 = CLOCKS;

    reg [BITS-1:0] left;

    assign mark = busy || (left != {BITS{1'b0}});

    always @(posedge clk) begin
        if (rst) left <= {BITS{1'b0}};
        else if (busy) left <= CLOCKS_32[BITS-1:0];
        else if (left != {BITS{1'b0}}) left <= left - 1'b1;
    end
endmodule
`default_nettype wire
