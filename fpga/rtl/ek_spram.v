// Single-port RAM of 16,384 words of 16 bits without initial contents: SB_SPRAM256KA of the iCE40
// UltraPlus, which yosys makes of the attribute below.
//
// With `enable` it writes the bytes that `write` has a bit for, or, where it has none, reads: the
// word is on `read_data` a clock later. On silicon that is undefined once the memory has written
// again: look in the clock after the read, or before the next write. Contents are undefined at the
// start and stay over a reset. Cost: 1 SPRAM.
`default_nettype none

module ek_spram (
    input  wire        clk,
    input  wire        enable,
    input  wire [1:0]  write,
    input  wire [13:0] addr,
    input  wire [15:0] write_data,
    output reg  [15:0] read_data
);
    (* ram_style = "huge" *) reg [15:0] memory [0:16383];

    always @(posedge clk)
        if (enable) begin
            if (write[0]) memory[addr][7:0] <= write_data[7:0];
            if (write[1]) memory[addr][15:8] <= write_data[15:8];
            if (write == 2'b00) read_data <= memory[addr];
        end
endmodule
`default_nettype wire
