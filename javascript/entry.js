// What a report needs of Vega: a compiler of Vega-Lite, a parser, a view, the transforms that its
// charts use (no maps, graphs or clouds), and an interpreter of expressions that needs no eval,
// which a page's content-security policy forbids.
import { transforms } from "vega-dataflow";
import * as encode from "vega-encode";
import { expressionInterpreter } from "vega-interpreter";
import { compile } from "vega-lite";
import { parse } from "vega-parser";
import * as common from "vega-transforms";
import { View } from "vega-view";
import * as view from "vega-view-transforms";

Object.assign(transforms, common, view, encode);
globalThis.seedwiseVega = { View, compile, expressionInterpreter, parse };
