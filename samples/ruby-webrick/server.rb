# A server of Ruby's own that listens where PORT says.
require "webrick"

server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: Integer(ENV.fetch("PORT")), AccessLog: [])
server.mount_proc("/") { |request, response| response.body = "Hello from Ruby! You asked for #{request.path}\n" }
server.mount_proc("/process") { |_, response| response.body = Process.pid.to_s }
%w[INT TERM].each { |signal| trap(signal) { server.shutdown } }
server.start
