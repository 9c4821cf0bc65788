// iCE40 UltraPlus single-port RAM, 16,384 words of 16 bits, for simulation.
//
// Synchronous, one access a clock; writes in nibbles. It has no initial contents on silicon: words
// are kept XORed with their address times an odd number, so that a simulator whose memories start
// at 0 reads noise from a word that nobody wrote. While it writes, stands by or sleeps, DATAOUT
// keeps its word, which on silicon is undefined: designs must not look.
`default_nettype none

module SB_SPRAM256KA (
    input  wire [13:0] ADDRESS,
    input  wire [15:0] DATAIN,
    input  wire [ 3:0] MASKWREN,
    input  wire        WREN,
    input  wire        CHIPSELECT,
    input  wire        CLOCK,
    input  wire        STANDBY,
    input  wire        SLEEP,
    input  wire        POWEROFF,
    output reg  [15:0] DATAOUT
);
  reg [15:0] mem[0:16383];
  wire on = CHIPSELECT && POWEROFF && !SLEEP && !STANDBY;
  wire [15:0] noise = {ADDRESS[1:0], ADDRESS} * 16'd40503 + 16'd23130;
  wire [15:0] word = DATAIN ^ noise;

  always @(posedge CLOCK) begin
    if (on && WREN) begin
      if (MASKWREN[0]) mem[ADDRESS][3:0] <= word[3:0];
      if (MASKWREN[1]) mem[ADDRESS][7:4] <= word[7:4];
      if (MASKWREN[2]) mem[ADDRESS][11:8] <= word[11:8];
      if (MASKWREN[3]) mem[ADDRESS][15:12] <= word[15:12];
    end
    if (on && !WREN) DATAOUT <= mem[ADDRESS] ^ noise;
  end
endmodule

`default_nettype wire
