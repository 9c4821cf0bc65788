// Words of 32 bits with one write port, a strobe a byte, and one read port with an output register.
//
// Parameters: DEPTH in words, ADDR_WIDTH. Timing: `read_data` is there one clock after `read_en`
// and stays until the next. An address from DEPTH on is not written and reads anything.
// Cost: block RAM, DEPTH / 1024 of 36 Kbit.
`default_nettype none

module ek_axi_memory #(
    parameter DEPTH = 1024,
    parameter ADDR_WIDTH = 16
) (
    input  wire                  clk,
    input  wire [3:0]            write_strobe,
    input  wire [ADDR_WIDTH-1:0] write_addr,
    input  wire [31:0]           write_data,
    input  wire                  read_en,
    input  wire [ADDR_WIDTH-1:0] read_addr,
    output reg  [31:0]           read_data
);
    localparam [31:0] WORDS = DEPTH;
    localparam        INDEX_WIDTH = DEPTH > 1 ? $clog2(DEPTH) : 1;

    reg  [31:0]            words [0:DEPTH-1];
    wire                   in_range = {{(32 - ADDR_WIDTH) {1'b0}}, write_addr} < WORDS;
    wire [3:0]             strobe = write_strobe & {4{in_range}};
    wire [INDEX_WIDTH-1:0] write_index = write_addr[INDEX_WIDTH-1:0];
    wire [INDEX_WIDTH-1:0] read_index = read_addr[INDEX_WIDTH-1:0];

    always @(posedge clk) begin
        if (strobe[0]) words[write_index][7:0] <= write_data[7:0];
        if (strobe[1]) words[write_index][15:8] <= write_data[15:8];
        if (strobe[2]) words[write_index][23:16] <= write_data[23:16];
        if (strobe[3]) words[write_index][31:24] <= write_data[31:24];
        if (read_en) read_data <= words[read_index];
    end

    wire unused = &{1'b0, read_addr};
endmodule

`default_nettype wire
