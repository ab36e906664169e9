# A worker on Ruby's FastCGI library, in its own protocol code of pure Ruby: says what it got.
require 'fcgi'

FCGI.each do |request|
  body = request.in.read.to_s
  query = request.env['QUERY_STRING'].to_s
  request.out.print "Content-Type: text/plain\r\nX-Pid: #{Process.pid}\r\n\r\n"
  if query =~ /size=(\d+)/
    request.out.print '0123456789' * (Regexp.last_match(1).to_i / 10)
  else
    request.out.print "ruby read #{body.bytesize} bytes, sum #{body.sum(32)}\n"
  end
  request.finish
end
