package spark

import "github.com/apache/spark-connect-go/v40/spark/client"

// spark-connect-go tries a call again for ten minutes, deaf to the context, while nothing listens at the server's address. Fifteen
// seconds see through a server that is slow for a moment; one that was killed has lost the session, and no call would ever succeed.
func init() {
	policy := client.DefaultRetryPolicy
	policy.MaxRetries = 5 // after 0.05, 0.2, 0.8, 3.2 and 12.8 s
	client.DefaultRetryPolicyRegistry = []client.RetryPolicy{policy}
}
