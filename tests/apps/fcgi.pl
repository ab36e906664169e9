# A worker on the original FastCGI library, through Perl's FCGI: says what it got, and ends after --requests of them.
use strict;
use warnings;
use FCGI;

my %environment;
my $request = FCGI::Request(\*STDIN, \*STDOUT, \*STDERR, \%environment);
my $served = 0;
my $most = $ARGV[0] // 0;
while ($request->Accept() >= 0) {
    my $body = '';
    while (read(STDIN, my $part, 65536)) { $body .= $part }
    my $query = $environment{QUERY_STRING};
    print STDERR "perl heard of $query\n" if $query =~ /stderr/;
    my $status = $query =~ /status=(\d+)/ ? $1 : 200;
    print "Status: $status\r\nContent-Type: text/plain\r\nX-Pid: $$\r\n\r\n";
    if ($query =~ /size=(\d+)/) {
        print '0123456789' x ($1 / 10);
    } elsif ($query =~ /variables/) {
        print "$_=$environment{$_}\n" for sort keys %environment;
    } else {
        print "perl read ", length($body), " bytes, sum ", unpack('%32C*', $body), "\n";
    }
    last if $most && ++$served >= $most;
}
$request->Finish();
