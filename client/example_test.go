package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"cartwheel/client"
)

func Example() {
	c, err := client.New("http://localhost:8000")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // for all tries together
	defer cancel()
	list, err := c.Visitor(ctx, "15311", client.Options{Limit: 5, Explain: true})
	var sent *client.Error
	switch {
	case errors.As(err, &sent) && sent.Status == 503:
		fmt.Println("no model yet:", sent.Detail)
	case err != nil:
		log.Fatal(err)
	}
	for _, item := range list.Items {
		fmt.Println(item.ItemID, item.Score)
	}
}
