package sparkml

import (
	"context"
	"fmt"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// VectorToArray adds the column array, an array of double, made of the column vector, for SQL cannot look into vectors.
func VectorToArray(ctx context.Context, s *spark.Session, data sql.DataFrame, vector, array string) (sql.DataFrame, error) {
	return addColumn(ctx, s, data, array, "vector_to_array", column(vector), fields{"literal": fields{"string": "float64"}})
}

// ArrayToVector adds the column vector, made of the column array, an array of numbers.
func ArrayToVector(ctx context.Context, s *spark.Session, data sql.DataFrame, array, vector string) (sql.DataFrame, error) {
	return addColumn(ctx, s, data, vector, "array_to_vector", column(array))
}

func column(name string) fields {
	return fields{"unresolvedAttribute": fields{"unparsedIdentifier": name}}
}

// addColumn applies one of MLlib's functions, which SQL and spark-connect-go do not know.
func addColumn(ctx context.Context, s *spark.Session, data sql.DataFrame, name, function string, arguments ...fields) (sql.DataFrame, error) {
	input, release, err := relation(ctx, s, data)
	if err != nil {
		return nil, err
	}
	defer release()
	call := fields{"unresolvedFunction": fields{"functionName": function, "arguments": arguments}}
	df, err := frame(ctx, s, fields{"withColumns": fields{"input": input, "aliases": []fields{{"name": []string{name}, "expr": call}}}})
	if err != nil {
		return nil, fmt.Errorf("adding the column %s by %s: %w", name, function, err)
	}
	return df, nil
}
