// Starts npm saml-idp with the options in the first argument (JSON) and says where it listens; it ends when its standard input does.
delete process.env.HOST;
delete process.env.PORT;

console.log = (text) => {
  const ready = /IdP server ready at\s+(\S+)/.exec(text);
  if (ready) {
    process.stdout.write(`${new URL(ready[1]).port}\n`);
    process.stdout.write = () => true; // it tells of every request
  }
};

require("saml-idp").runServer(JSON.parse(process.argv[2]));
process.stdin.on("end", () => process.exit()).resume();
