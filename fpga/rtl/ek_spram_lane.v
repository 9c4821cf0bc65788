// A memory of single-port RAMs (ek_spram), BITS bits wide and as deep as it has to be.
//
// One access a clock; what is read is there a clock later and stays until the next read or write.
// Banks of 16,384 words: with 8 bits two banks share a RAM, one in each byte. Only the bank that is
// asked is enabled. Cost: 1 SPRAM for 32 KiB, and a multiplexer of the banks.
`default_nettype none

module ek_spram_lane #(
    parameter integer BITS = 16,      // 8 or 16
    parameter integer DEPTH = 16384,
    parameter integer ADDR_BITS = 14  // of DEPTH words
) (
    input  wire                 clk,
    input  wire                 write,
    input  wire                 read,
    input  wire [ADDR_BITS-1:0] addr,
    input  wire [BITS-1:0]      write_data,
    output wire [BITS-1:0]      read_data
);
    localparam integer SHARED = 16 / BITS;  // banks of a RAM
    localparam integer BANKS = (DEPTH + 16383) / 16384;
    localparam integer RAMS = (BANKS + SHARED - 1) / SHARED;
    localparam integer BANK_BITS = (BANKS > 1) ? $clog2(BANKS) : 1;

    wire [13:0] place;
    wire [BANK_BITS-1:0] bank;
    generate
        if (ADDR_BITS >= 14) assign place = addr[13:0];
        else assign place = {{(14-ADDR_BITS){1'b0}}, addr};
        if (BANKS > 1) assign bank = addr[14 +: BANK_BITS];
        else assign bank = 1'b0;
    endgenerate

    reg [BANK_BITS-1:0] read_bank;
    always @(posedge clk) if (read) read_bank <= bank;

    wire [1:0] bytes = (SHARED == 1) ? 2'b11 : {bank[0], !bank[0]};
    wire [(16<<BANK_BITS)-1:0] words;
    assign read_data = words[BITS*read_bank +: BITS];
    genvar i;
    generate
        for (i = 0; i < RAMS; i = i + 1) begin : g_ram
            localparam integer FIRST = SHARED * i, LAST = SHARED * i + SHARED - 1;
            wire mine = (bank == FIRST[BANK_BITS-1:0]) || (bank == LAST[BANK_BITS-1:0]);
            ek_spram u_ram (
                .clk(clk), .enable((write || read) && mine), .write(write ? bytes : 2'b00),
                .addr(place), .write_data({SHARED{write_data}}), .read_data(words[16*i +: 16])
            );
        end
        if ((16 << BANK_BITS) > 16 * RAMS) begin : g_none
            assign words[(16<<BANK_BITS)-1:16*RAMS] = {((16<<BANK_BITS)-16*RAMS){1'b0}};
            wire unused = (&words);
        end
    endgenerate
endmodule
`default_nettype wire
