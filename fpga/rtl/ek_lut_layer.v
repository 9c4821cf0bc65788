// A layer of look-up tables: y[m] is bit `sum of x[CONNECTIONS[m][j]] << j` of TABLES[m].
//
// Parameters: INPUTS, NODES, FAN_IN (inputs of a node), PLACE_WIDTH (bits of an input's number),
// CONNECTIONS (input j of node m at [(m*FAN_IN + j)*PLACE_WIDTH +: PLACE_WIDTH]),
// TABLES (of node m at [m << FAN_IN +: 1 << FAN_IN]).
// Timing: combinational. Cost: one look-up table a node where FAN_IN is at most the part's.
// For thousands of nodes the generated form is faster to synthesize: one expression a node.
`default_nettype none

module ek_lut_layer #(
    parameter INPUTS = 8,
    parameter NODES = 2,
    parameter FAN_IN = 4,
    parameter PLACE_WIDTH = 3,
    parameter [NODES*FAN_IN*PLACE_WIDTH-1:0] CONNECTIONS = {(NODES * FAN_IN * PLACE_WIDTH){1'b0}},
    parameter [(NODES << FAN_IN)-1:0] TABLES = {(NODES << FAN_IN){1'b0}}
) (
    input  wire [INPUTS-1:0] x,
    output wire [NODES-1:0] y
);
    genvar m, j;
    generate
        for (m = 0; m < NODES; m = m + 1) begin : node
            for (j = 0; j <= FAN_IN; j = j + 1) begin : step
                // The table once the first j inputs are known: half as long with each.
                wire [(1 << (FAN_IN - j))-1:0] rest;
                if (j == 0) begin : gen_whole
                    assign rest = TABLES[(m << FAN_IN) +: (1 << FAN_IN)];
                end else begin : gen_half
                    localparam PLACE = CONNECTIONS[(m*FAN_IN + j - 1)*PLACE_WIDTH +: PLACE_WIDTH];
                    genvar k;
                    for (k = 0; k < (1 << (FAN_IN - j)); k = k + 1) begin : entry
                        assign rest[k] = x[PLACE] ? node[m].step[j-1].rest[2*k+1]
                                                  : node[m].step[j-1].rest[2*k];
                    end
                end
            end
            assign y[m] = step[FAN_IN].rest[0];
        end
    endgenerate
endmodule

`default_nettype wire
