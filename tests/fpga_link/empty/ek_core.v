// No network: passes the first byte of an input on. What is left is what the shell costs.
`default_nettype none

module ek_core (
    input  wire        clk,
    input  wire        rst,
    input  wire        in_valid,
    output wire        in_ready,
    input  wire [63:0] in_data,
    output wire        out_valid,
    input  wire        out_ready,
    output wire [7:0]  out_data,
    input  wire        load_valid,
    input  wire [15:0] load_data
);
    assign in_ready = out_ready;
    assign out_valid = in_valid;
    assign out_data = in_data[7:0];
    wire unused = clk && rst && load_valid && (&load_data) && (&in_data);
endmodule
`default_nettype wire
