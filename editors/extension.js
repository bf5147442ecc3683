// The VS Code extension: starts `weir lsp` for rule files.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const command = workspace.getConfiguration("weir").get("path");
  client = new LanguageClient("weir", "Weir", { command, args: ["lsp"] }, { documentSelector: [{ language: "weir" }] });
  return client.start();
};

exports.deactivate = () => client && client.stop();
